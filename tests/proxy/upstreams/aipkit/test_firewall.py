"""A firewall that blocks messages by their content, distinguished from expired credentials."""

import asyncio
from pathlib import Path

import pytest

import proxy.upstreams.site.credentials
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.site import SimulatedSite

STEP_1 = "aipkit_cache_sse_message"
NONCE = "aipkit_get_frontend_chat_nonce"
BLOCKED = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def firewall(site: SimulatedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site has a firewall. A wait for a visit would be reported."""
    site.behaviour.firewall_words = ["<script>"]
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.2)


async def is_ready(proxy: RunningProxy) -> bool:
    async with proxy.http.get(f"{proxy.url}/readyz") as response:
        return response.status == 200


@pytest.mark.parametrize("status", [403, 405, 406, 501])
@pytest.mark.parametrize("lately", [60.0, 0.0, None], ids=["another passed", "one did earlier", "none did"])
async def test_a_message_that_is_blocked_is_told_so_at_once(
    proxy: RunningProxy,
    site: SimulatedSite,
    monkeypatch: pytest.MonkeyPatch,
    lately: float | None,
    status: int,
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.LATELY_SECONDS", lately)
    site.behaviour.firewall_status = status
    if lately is not None:
        assert (await proxy.chat("hi")).status == 200
    site.clear_records()

    answer = await proxy.chat(BLOCKED)

    assert (answer.status, answer.code) == (400, "upstream_blocked_message")
    assert answer.headers["x-should-retry"] == "false"
    assert site.request_counts[STEP_1] == 1
    assert site.request_counts[NONCE] == (0 if lately else 1)
    assert await proxy.store.pending_ask(site.origin) is None
    assert await is_ready(proxy)
    assert (await proxy.chat("hi")).status == 200


@pytest.mark.parametrize("kind", ["blocked", "challenge", "cookie"])
async def test_a_firewall_may_answer_what_it_minds_with_a_page_like_that_of_a_check(
    proxy: RunningProxy, site: SimulatedSite, kind: str
) -> None:
    site.behaviour.firewall_kind = kind
    assert (await proxy.chat("hi")).status == 200

    answer = await proxy.chat(BLOCKED)

    assert (answer.status, answer.code) == (400, "upstream_blocked_message")
    assert await proxy.store.pending_ask(site.origin) is None
    assert await is_ready(proxy)


async def test_many_blocked_messages_speak_against_nothing_else(proxy: RunningProxy, site: SimulatedSite) -> None:
    answers = await asyncio.gather(*(proxy.chat(BLOCKED, stream=number % 2 == 0) for number in range(8)))

    assert {answer.code for answer in answers} == {"upstream_blocked_message"}
    assert await is_ready(proxy)
    assert await proxy.store.pending_ask(site.origin) is None


async def test_a_plugin_without_the_nonce_action_shows_as_well_that_others_pass(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.nonce_action = False

    assert (await proxy.chat(BLOCKED)).code == "upstream_blocked_message"
    assert await proxy.store.pending_ask(site.origin) is None


async def test_an_old_nonce_is_renewed_before_the_message_is_blamed(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.rotate_nonce()

    assert (await proxy.chat(BLOCKED)).code == "upstream_blocked_message"
    assert site.request_counts[STEP_1] == 2
    assert (await proxy.chat("hi")).status == 200


async def test_a_firewall_that_lets_nothing_pass_is_for_a_visit(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.ajax_status = 403

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (503, "no_credentials")
    ask = await proxy.store.pending_ask(site.origin)
    assert ask is not None
    assert "lets nothing pass" in ask.reason


async def test_what_a_visit_brings_is_used_behind_such_a_firewall(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 10.0)
    found = await capture(site)
    site.behaviour.ajax_status = 403
    turn = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(10):
        while await proxy.store.pending_ask(site.origin) is None:
            await asyncio.sleep(0.02)
    site.behaviour.ajax_status = 0
    await proxy.store.save_capture(found, base=1)

    assert (await turn).status == 200


async def test_a_site_without_a_firewall_answers_in_its_place(site: SimulatedSite, tmp_path: Path) -> None:
    async with SimulatedSite() as second, running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        answer = await proxy.chat(BLOCKED)

        assert answer.status == 200
        assert len(second.model_calls) == 1
        assert await is_ready(proxy)
