"""AIPKit's front end, as both services use it (PROTOCOL 2 and 3).

Pure: no sockets, clocks, randomness or files. Values in, values out.
"""
