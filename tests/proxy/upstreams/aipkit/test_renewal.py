"""A nonce refused during a turn is renewed, once for all turns that need it."""

import asyncio
from pathlib import Path

from shared.store import open_store
from tests.proxy.running import NOW, RunningProxy, running_proxy
from tests.site import SimulatedSite

NONCE = "aipkit_get_frontend_chat_nonce"
STEP_1 = "aipkit_cache_sse_message"
STEP_2 = "aipkit_frontend_chat_stream"


def count(site: SimulatedSite, action: str) -> int:
    return sum(request.action == action for request in site.requests)


async def test_a_nonce_refused_at_step_1_is_renewed_in_flight(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.rotate_nonce()

    answer = await proxy.chat("hi")

    assert answer.text.startswith("[gpt-4o-mini] You said: hi")
    assert (count(site, NONCE), count(site, STEP_1), len(site.model_calls)) == (1, 2, 1)
    state = await proxy.store.site_state(site.origin)
    assert state is not None
    assert (state.current.nonce, state.current.source, state.current.generation) == (site.nonce, "renewal", 2)


async def test_a_nonce_refused_at_step_2_is_renewed_in_flight(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.ajax_delay = 0.3
    turn = asyncio.create_task(proxy.chat("hi"))
    while not count(site, STEP_2):
        await asyncio.sleep(0.01)
    site.rotate_nonce()
    site.behaviour.ajax_delay = 0.0

    answer = await turn

    assert answer.text.startswith("[gpt-4o-mini] You said: hi")
    assert len(site.model_calls) == 1


async def test_a_refusal_in_another_language_is_recognised_by_the_changed_nonce(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.language = "de"
    site.behaviour.ajax_delay = 0.3
    turn = asyncio.create_task(proxy.chat("hi"))
    while not count(site, STEP_2):
        await asyncio.sleep(0.01)
    site.rotate_nonce()
    site.behaviour.ajax_delay = 0.0

    assert (await turn).status == 200


async def test_fifty_refused_turns_cause_one_renewal(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_upstream=50) as proxy:
        await proxy.chat("warm up")
        site.rotate_nonce()
        before = count(site, NONCE)

        answers = await asyncio.gather(*(proxy.chat(f"turn {number}") for number in range(50)))

    assert all(f"turn {number}" in answer.text for number, answer in enumerate(answers))
    assert count(site, NONCE) - before == 1


async def test_a_client_that_leaves_takes_no_renewal_from_the_others(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.rotate_nonce()
    site.behaviour.ajax_delay = 0.3
    turns = [asyncio.create_task(proxy.chat(text)) for text in ("one", "two")]
    async with asyncio.timeout(10):
        while not count(site, NONCE):
            await asyncio.sleep(0.01)
    turns[0].cancel()
    site.behaviour.ajax_delay = 0.0

    assert (await turns[1]).status == 200
    assert count(site, NONCE) == 1


async def test_a_nonce_that_another_proxy_renewed_is_used_without_asking_for_one_more(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.rotate_nonce()
    async with open_store(proxy.settings.store_url) as other:
        await other.save_nonce(site.origin, site.nonce, checked_at=NOW, base=1)

    assert (await proxy.chat("hi")).status == 200
    assert count(site, NONCE) == 0
