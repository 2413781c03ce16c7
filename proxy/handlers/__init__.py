"""One file per resource: parse, call, return. Errors are raised; the middleware renders them."""
