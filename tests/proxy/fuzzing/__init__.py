"""Fuzzing the running proxy from its own OpenAPI document."""
