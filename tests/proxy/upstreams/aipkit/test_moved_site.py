"""A site whose chat moved after the last visit: its address redirects, or has no plugin any more."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proxy.upstreams.site import credentials
from shared.models import AI_ENGINE, AIPKIT
from tests.proxy.running import RunningProxy, capture
from tests.site import SimulatedSite

ELSEWHERE = "https://new.example/wp-admin/admin-ajax.php"


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"ajax_leads_to": ELSEWHERE}, f"it leads to {ELSEWHERE}"),
        ({"ajax_leads_to": ELSEWHERE, "front_action": "aipkit_frontend_chat_stream"}, f"it leads to {ELSEWHERE}"),
        ({"has_plugin": False}, "meets no chat plugin"),
    ],
)
@pytest.mark.parametrize("plugin", [AIPKIT, AI_ENGINE])
async def test_a_site_whose_chat_has_moved_is_visited_and_asked_where_it_is_now(
    proxy: RunningProxy, site: SimulatedSite, switches: dict[str, Any], expected: str, plugin: str
) -> None:
    site.behaviour.update(switches)
    turn = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        while (ask := await proxy.store.pending_ask(site.origin)) is None:
            await asyncio.sleep(0.02)
    site.behaviour.update({"ajax_leads_to": "", "has_plugin": True})
    found = await capture(site)
    moved = replace(found.credentials, plugin=plugin)
    await proxy.store.save_capture(replace(found, credentials=moved), base=1)

    answer = await turn
    assert expected in ask.reason
    assert answer.status == 200 if plugin == AIPKIT else "another chat plugin" in answer.body["error"]["message"]


async def test_the_target_of_a_moved_site_is_reported(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "RENEWAL_SECONDS", 0.2)
    site.behaviour.ajax_leads_to = ELSEWHERE

    answer = await proxy.chat("hi")

    assert answer.status == 503
    assert f"it leads to {ELSEWHERE}" in answer.body["error"]["message"]


async def test_credentials_for_another_plugin_that_came_meanwhile_are_not_asked_with(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    found = await capture(site)
    other = replace(found.credentials, plugin=AI_ENGINE, nonce="0123456789")
    site.rotate_nonce()
    site.requests.clear()
    site.behaviour.ajax_delay = 0.3
    turn = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        while not site.requests:
            await asyncio.sleep(0.01)
    await proxy.takes(replace(found, credentials=other), base=1)

    answer = await turn

    assert (answer.status, answer.code) == (503, "no_credentials")
    assert "another chat plugin" in answer.body["error"]["message"]
    assert len(site.requests) == 1
