"""`freeaichat doctor`."""
