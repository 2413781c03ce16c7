"""`state` in `/v1/models`: which models would be answered now."""

from pathlib import Path

import pytest

from proxy.upstreams import breaker
from tests.openai_server import OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


async def state(proxy: RunningProxy, name: str = MODEL) -> str:
    """The state of a model, which the list tells too."""
    async with proxy.http.get(f"{proxy.url}/v1/models") as response:
        listed = {model["id"]: model["state"] for model in (await response.json())["data"]}
    async with proxy.http.get(f"{proxy.url}/v1/models/{name}") as response:
        assert (await response.json())["state"] == listed[name]
    return str(listed[name])


async def test_a_model_whose_quota_is_used_up_cools_down_and_no_other(proxy: RunningProxy, site: SimulatedSite) -> None:
    assert await state(proxy) == "ready"
    site.behaviour.stream_error = site.behaviour.quota_text
    assert (await proxy.chat("hello")).status == 429

    assert await state(proxy) == "cooldown"
    assert await state(proxy, "vision-bot-视觉") == "ready"


async def test_the_models_of_a_site_that_fails_again_and_again_rest(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 600.0)
    site.behaviour.ajax_status = 500
    for _ in range(breaker.FAILURES_TO_OPEN):
        assert (await proxy.chat("hello")).status == 502

    assert await state(proxy) == "resting"


async def test_without_credentials_none_is_available(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, captured=False, models={"mine": 5}) as proxy:
        assert await state(proxy, "mine") == "unavailable"


async def test_a_bare_name_is_as_ready_as_the_readiest_that_has_it(site: SimulatedSite, tmp_path: Path) -> None:
    async with SimulatedSite() as other, running_proxy(site, tmp_path, more_sites=[other]) as proxy:
        site.behaviour.stream_error = site.behaviour.quota_text
        assert (await proxy.chat("hello")).status == 200
        pinned = f"{MODEL}@{other.origin.removeprefix('http://')}"

        assert (await state(proxy), await state(proxy, pinned)) == ("ready", "ready")
        other.behaviour.stream_error = other.behaviour.quota_text
        assert (await proxy.chat("hello")).status == 429
        assert (await state(proxy), await state(proxy, pinned)) == ("cooldown", "cooldown")


async def test_the_models_of_a_server_have_one_too(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as server,
        running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy,
    ):
        assert (await proxy.chat("hello", model="mine/tiny")).status == 200
        assert (await state(proxy, "tiny"), await state(proxy, "mine/tiny")) == ("ready", "ready")
