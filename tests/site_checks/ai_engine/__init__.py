"""Checks of the simulated AI Engine site, most of them against recordings of a real one."""
