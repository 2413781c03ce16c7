"""The simulated AI Engine site against recordings of a real one: the same requests bring the same bytes."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.site_ai_engine import SimulatedAiEngine
from tests.site_checks.ai_engine.recordings import RECORDINGS, comparable, names, recording, replay
from tests.site_checks.raw import get, post

PREVIOUS = re.compile(rb'"previousResponseId": ?"(resp_[0-9a-f]{32})"')
ABORTED = {"51-abort.http": 9}  # the client went away after so many events
SECOND_HALF = {"15-browser-new-token.http", "20e-second-half-plain.http"}
USERS_NONCE = "17-browser-nonce-of-a-cached-user.http"
SWITCHES: dict[str, dict[str, Any]] = {
    "31-limit.http": {"limit_text": "You have reached the limit (check the Insights Tab > Limits > Guests)."},
    "41-stream-dies.http": {"dies_after": 3},
    "41c-webserver-timeout-plain.http": {"gateway_status": 504},
    "42-stall-timeout4.http": {"upstream_timeout": 0.2},
    "45-banned-word.http": {"banned_words": ["verboten"]},
    "50-event-logs.http": {"event_logs": True},
    "50b-event-logs-chatcompletions.http": {"event_logs": True},
    "90-2.4.1-stream.http": {"version": "2.4.1"},
}


def site_of(name: str, head: bytes) -> SimulatedAiEngine:
    """A site like the one that was recorded."""
    base = re.match(rb"POST (/\w+)?/index.php\?rest_route=", head)
    path = (base[1] or b"").decode() if base else ""
    site = SimulatedAiEngine(base_path=path, plain_permalinks=base is not None)
    for switch, value in SWITCHES.get(name, {}).items():
        setattr(site.behaviour, switch, value)
    return site


@pytest.mark.parametrize("name", names())
async def test_the_answer_is_the_recorded_one(name: str) -> None:
    made = recording(name)
    async with site_of(name, made.request_head) as site:
        nonce = site.nonce
        if name in SECOND_HALF:
            site.rotate_nonce(keep_previous=True)
        if previous := PREVIOUS.search(made.request_body):
            last_turn = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
            site.responses[previous[1].decode()] = last_turn
        head, body = await replay(site, made, nonce=nonce, events=ABORTED.get(name, 0))

    assert comparable(head) == comparable(made.head)
    came = body[: len(made.body)] if name in ABORTED else body
    assert comparable(came) == comparable(made.body)
    if made.model is not None:
        call = site.model_calls[-1]
        assert (call.path, call.body) == made.model


async def test_what_was_recorded_of_a_logged_in_user_is_refused_to_guests_here_too() -> None:
    made = recording(USERS_NONCE)
    async with site_of(USERS_NONCE, made.request_head) as site:
        known = made.request_head.replace(b"efd5510a77", site.nonces.current("user").encode())
        head, body = await replay(site, replace(made, request_head=known), nonce="")

    assert comparable(head) == comparable(made.head)
    assert comparable(body) == comparable(made.body)


def _without_script(text: str) -> str:
    return re.sub(r"(&quot;script&quot;:&quot;).*?(&quot;\}\})", r"\1\2", text)


Prepare = Callable[[SimulatedAiEngine], None]


def _as_is(site: SimulatedAiEngine) -> None:
    site.shown = [bot for bot in site.everything if bot.id == "chatbot-resp" and not bot.custom_id]


def _with_consent(site: SimulatedAiEngine) -> None:
    _as_is(site)
    site.behaviour.consent = True


def _overridden(site: SimulatedAiEngine) -> None:
    site.shown = [bot for bot in site.everything if bot.custom_id]


@pytest.mark.parametrize(
    ("sample", "prepare", "context"),
    [
        ("00-markup-chatbot-resp", _as_is, 101),
        ("00b-markup-gdpr", _with_consent, 110),
        ("00c-markup-override", _overridden, 112),
    ],
)
async def test_the_chats_markup_is_the_recorded_one(sample: str, prepare: Prepare, context: int) -> None:
    async with SimulatedAiEngine() as site:
        prepare(site)
        text = (await get(f"{site.url}chat/")).text

    written = (RECORDINGS / f"{sample}.html").read_text(encoding="utf-8")
    written = written.replace(f"contextId&quot;:{context}", "contextId&quot;:101").replace("127.0.0.1:8099", "H")
    assert _without_script(written.strip()) in _without_script(text.replace(site.origin.removeprefix("http://"), "H"))


async def test_lines_and_their_ends_come_in_chunks_of_their_own_as_recorded() -> None:
    made = recording("02-submit-stream.http")
    raw = (RECORDINGS / "02-submit-stream-rawchunked.bin").read_bytes().partition(b"\r\n\r\n")[2]

    assert b'{"type":"live","data":"  \\n"}\r\n2\r\n\n\n\r\n' in raw
    async with SimulatedAiEngine() as site:
        sent = made.request_body.decode()
        answer = await post(
            f"{site.rest_url}/mwai-ui/v1/chats/submit", sent.encode(), "application/json", f"X-WP-Nonce: {site.nonce}"
        )
    assert b'data: {"type":"live","data":"  \\n"}' in answer.chunks
    assert b"\n\n" in answer.chunks
