"""A compressed month: the whole product under steady traffic while all that can fail does."""
