"""The proxy: serves OpenAI's streaming APIs with whichever credentials are current. Imports `shared` only."""
