"""The HTTP client of sites and servers. `client.py` is its interface."""
