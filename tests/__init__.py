"""The tests, the simulated site they run against, and the `benchmarks` command."""
