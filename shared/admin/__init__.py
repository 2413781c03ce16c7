"""API keys and usage: what is stored of them, and how both services and the command line deal with it."""
