"""What both services know of the chat plugin's front end (PROTOCOL 2 and 3).

Pure: no sockets, clocks, randomness or files. Values in, values out.
"""
