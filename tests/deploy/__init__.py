"""Checks of what stands in deploy/ and of the packages that users install."""
