"""The long-lived process: when to visit, what became of it, and what is stored; `run.py` puts it together."""
