"""Emulated tools and structured output, for upstreams that take and give only text.

Pure: no sockets, no clocks, no randomness. `ToolConfig` holds the request's tools and output format, `instructions`
renders them for the model, `CallReader` finds the calls in its answer, `read_structured_output` the JSON.
"""
