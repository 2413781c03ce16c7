"""How fast the proxy is, measured beside nginx doing nothing but relaying, on the same machine in the same minute."""
