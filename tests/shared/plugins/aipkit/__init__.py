"""Tests of what both services know of the chat plugin."""
