"""The harvester: visits the chat sites with a real Chromium, on a schedule, as one ordinary guest.

`service/` is the long-lived process, `visit/` the child process of one visit, `job.py` what travels between them.
"""
