"""Checks of the simulated site itself, most of them against recordings of a real one."""
