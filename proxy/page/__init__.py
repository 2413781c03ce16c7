"""The web page: chat, dashboard and keys. `handlers.py` serves its files, of which `main.js` is read first."""
