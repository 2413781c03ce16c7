"""Where the recordings of real sites lie."""

from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
