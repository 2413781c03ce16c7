"""`/healthz`, `/readyz`, `/metrics` and `/openapi.json`."""
