"""`/v1/conversations` and their items, which are those of `/v1/responses` too."""
