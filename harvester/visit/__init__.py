"""The child process of one visit: a browser, the page, and what it gave. `run.py` is the visit from top to bottom."""
