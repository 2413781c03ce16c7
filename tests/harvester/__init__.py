"""Tests of the harvester: a real Chromium, real processes, and the simulated site as the peer."""
