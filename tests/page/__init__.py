"""The web page, in a real browser against the real proxy and the simulated site."""
