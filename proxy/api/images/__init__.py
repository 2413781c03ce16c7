"""Pictures in requests to any API: read, and fetched from the addresses that clients name."""
