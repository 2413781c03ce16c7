"""The whole product as its users run it: `freeaichat up` in real processes."""
