"""The plugin of a site is reported with the site."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import RESP, SHORT, running_engine_proxy
from tests.site import SimulatedSite
from tests.site_ai_engine import SimulatedAiEngine


@pytest.fixture
async def two_sites(engine: SimulatedAiEngine, site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy in front of one site of each kind."""
    async with running_engine_proxy(engine, site, data_dir=tmp_path) as proxy:
        yield proxy


async def get_json(proxy: RunningProxy, path: str) -> Any:
    async with proxy.http.get(f"{proxy.url}/{path}") as response:
        assert response.status == 200
        return await response.json()


@pytest.mark.parametrize("path", ["readyz", "admin/status"])
async def test_the_plugin_kind_of_each_site_is_reported(
    two_sites: RunningProxy, engine: SimulatedAiEngine, site: SimulatedSite, path: str
) -> None:
    kinds = {each["site"]: each["kind"] for each in (await get_json(two_sites, path))["sites"]}

    assert kinds == {engine.origin: "ai_engine", site.origin: "aipkit"}


async def test_a_model_tells_its_kind_and_how_little_its_page_takes(two_sites: RunningProxy) -> None:
    models = {each["id"]: each for each in (await get_json(two_sites, "v1/models"))["data"]}

    assert [models[name]["kind"] for name in (RESP, SHORT, "gpt-4o-mini-helper")] == [
        "ai_engine",
        "ai_engine",
        "aipkit",
    ]
    assert (models[RESP]["context_length"], models[RESP]["tools"]) == (25_000, "emulated")
    assert (models[SHORT]["context_length"], models[SHORT]["tools"]) == (5, None)
    for name in (RESP, SHORT):
        request = two_sites.http.get(f"{two_sites.url}/v1/models/{name}", headers={"anthropic-version": "2023-06-01"})
        async with request as response:
            assert (await response.json())["max_input_tokens"] == models[name]["context_length"]


async def test_the_metrics_tell_each_sites_kind(
    two_sites: RunningProxy, engine: SimulatedAiEngine, site: SimulatedSite
) -> None:
    async with two_sites.http.get(f"{two_sites.url}/metrics") as response:
        lines = (await response.text()).splitlines()

    assert f'freeaichat_site_info{{kind="ai_engine",site="{engine.origin}"}} 1.0' in lines
    assert f'freeaichat_site_info{{kind="aipkit",site="{site.origin}"}} 1.0' in lines
