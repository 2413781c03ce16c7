"""Tools and answers by schema, over a chat that only takes and gives text.

Pure: no sockets, no clocks, no randomness. `Offer` holds what a client wants, `instructions` tells it to the model,
`Reader` finds the calls in what the model answers, `read_answer` the JSON.
"""
