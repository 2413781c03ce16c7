"""A simulated server, and a proxy that has it as a fallback of a simulated site."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[OpenAiPeer]:
    async with OpenAiPeer("tiny", "gpt-4o-mini-helper", "llama3.2:latest", key=KEY) as running:
        yield running


@pytest.fixture
async def gateway(site: SimulatedSite, server: OpenAiPeer, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with the models of *server*, named `mine`; `mine/tiny` is the site's fallback."""
    async with running_proxy(
        site,
        tmp_path,
        servers=f"mine={server.base_url}",
        server_keys=f"mine={KEY}",
        fallback_model="mine/tiny",
    ) as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        yield proxy
