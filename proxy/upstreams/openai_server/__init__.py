"""OpenAI-compatible servers. `server.py` has a turn answered, and learns how a server differs."""
