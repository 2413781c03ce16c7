"""Sites with the AI Engine plugin. `site.py` has a turn answered, in one request."""
