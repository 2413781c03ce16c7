"""The store in Redis. `store.py` puts it together of the methods for each subject."""
