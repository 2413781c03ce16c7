"""The simulated AI Engine site, and a proxy in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import running_engine_proxy
from tests.site_ai_engine import SimulatedAiEngine


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedAiEngine]:
    async with SimulatedAiEngine() as running:
        yield running


@pytest.fixture
async def engine_proxy(engine: SimulatedAiEngine, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy in front of *engine* only."""
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        yield proxy
