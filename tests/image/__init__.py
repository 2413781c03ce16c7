"""Builds the images without a Docker engine, and runs the main job in them. `.ci/image` gets what it needs."""
