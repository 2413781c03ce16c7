"""The proxy: serves OpenAI's and Anthropic's streaming APIs with current site credentials. Imports `shared`
only."""
