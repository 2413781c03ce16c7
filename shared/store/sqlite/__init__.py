"""The store in one SQLite file. `store.py` puts it together of the methods for each subject."""
