"""The protocols as plain functions and values: the site's event stream and requests, OpenAI's wire shapes.

Rule: no sockets, clocks, randomness, files or databases in here. What they give is passed in.
"""
