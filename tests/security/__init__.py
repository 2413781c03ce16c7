"""What must hold against hostile sites, hostile clients and prying eyes."""
