"""Programs that judge an API, each of which must be content with what applies here."""
