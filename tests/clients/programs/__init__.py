"""Whole programs that people use, each with a task that needs tools; a long form, for it installs gigabytes."""
