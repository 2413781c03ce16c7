"""Counting what was used, for the store and for `/metrics`."""
