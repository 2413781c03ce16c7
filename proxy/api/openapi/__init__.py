"""The API's description in OpenAPI 3.1. Each API describes itself in its own folder; `document.py` puts it together."""
