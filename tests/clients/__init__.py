"""Clients that people use, each in a process of its own, against the proxy and the simulated site."""
