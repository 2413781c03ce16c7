"""AI Engine's front end, as both services use it."""
