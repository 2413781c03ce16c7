"""`/admin`: keys, usage, status and visits, for the master key and the web page."""
