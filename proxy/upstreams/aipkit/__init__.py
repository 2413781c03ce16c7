"""Sites with the AIPKit plugin. `site.py` has a turn answered, in two requests (PROTOCOL 4 and 5)."""
