"""The harvester: visits the chat sites on a schedule, with Chromium, as one guest for each site.

`service/` is the long-lived process, `visit/` the child process of one visit, `job.py` the messages between them.
"""
