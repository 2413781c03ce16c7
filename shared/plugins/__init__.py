"""The chat plugins' front ends, as both services use them: addresses, forms, markup and JSON."""
