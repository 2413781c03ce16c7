"""`/v1/completions`, the older form of a chat."""
