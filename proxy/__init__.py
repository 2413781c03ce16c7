"""The proxy: serves OpenAI's streaming APIs with whichever credentials are current.

Imports `shared` only. `protocol/` is pure; the I/O around it is thin.
"""
