"""`freeaichat doctor`. Nothing is imported here: `freeaichat up` uses two of the checks, and is to start soon."""
