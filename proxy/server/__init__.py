"""What is the same for every request: sockets, malformed requests, middleware, bodies, shutdown and workers."""
