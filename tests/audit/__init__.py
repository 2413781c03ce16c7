"""Asking a source of advisories whether a locked package has a known vulnerability."""
