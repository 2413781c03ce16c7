"""`/v1/embeddings`, which servers answer."""
