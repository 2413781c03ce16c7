"""Who may do what: keys, browser sessions, limits, and who is served without a key. `rules.py` decides."""
