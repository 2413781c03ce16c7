"""The APIs that clients speak, one folder for each.

A request to a model comes in by `receiving.py`, is read in the folder of its API, answered by `proxy.chat`, and goes
out by `sending.py` and `event_stream.py`. `routes.py` says which handler serves which path.
"""
