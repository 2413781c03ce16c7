"""The plugin's own limit of turns in a minute, shared by all visitors of one address."""

import time
from pathlib import Path

import pytest

import proxy.upstreams.gate as proxy_gate
from proxy.api.app_keys import UPSTREAMS
from proxy.upstreams.aipkit.requests import until_next_minute
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

STEP_1 = "aipkit_cache_sse_message"
NONCE = "aipkit_get_frontend_chat_nonce"


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sat, 28 Nov 2026 04:11:00 GMT", 60.0),
        ("Sat, 28 Nov 2026 04:11:24 GMT", 36.0),
        ("Sat, 28 Nov 2026 04:11:59 GMT", 1.0),
        ("", 50.0),
        ("yesterday", 50.0),
    ],
)
def test_the_minute_is_that_of_the_sites_clock(date: str, seconds: float) -> None:
    assert until_next_minute(date, 1_800_000_010.9) == seconds


@pytest.mark.parametrize("language", ["en", "de", "zh"])
async def test_the_limit_is_429_until_the_end_of_the_minute(
    proxy: RunningProxy, site: SimulatedSite, language: str
) -> None:
    site.behaviour.update({"rate_limit": 1, "language": language})
    while (await proxy.chat("hi")).status == 200:  # once, or twice where the minute ends in between
        pass
    site.clear_records()
    before = time.time()

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
    assert answer.body["error"]["type"] == "rate_limit_error"
    assert abs((before + int(answer.headers["retry-after"])) % 60 - 30) >= 27  # about the full minute
    assert "x-should-retry" not in answer.headers
    assert not site.requests  # turns are held back for the rest of the minute, those of other bots too
    assert (await proxy.chat("hi", model="gpt-5-nano")).status == 429
    assert not site.requests


async def test_nothing_is_renewed_or_tried_again_and_the_breaker_stays_closed(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.stream_error = "Too many requests. Please wait a minute and try again."

    answer = await proxy.chat("hi")

    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (site.request_counts[STEP_1], site.request_counts[NONCE]) == (1, 0)
    assert await proxy.store.pending_ask(site.origin) is None
    assert proxy.app[UPSTREAMS][0].health().breaker == "closed"


async def test_a_site_is_not_ready_in_a_minute_whose_limit_is_reached(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def readiness() -> tuple[int, str]:
        async with proxy.http.get(f"{proxy.url}/readyz") as response:
            return response.status, (await response.json()).get("reason", "")

    assert await readiness() == (200, "")
    site.behaviour.stream_error = "Too many requests. Please wait a minute and try again."
    await proxy.chat("hi")
    assert (await proxy.chat("hi")).status == 429

    status, reason = await readiness()

    assert status == 503
    assert "minute" in reason
    steady = time.monotonic
    monkeypatch.setattr(proxy_gate, "monotonic", lambda: steady() + 60)
    assert await readiness() == (200, "")


async def test_the_next_site_is_asked_and_the_first_again_in_the_next_minute(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimulatedSite() as second, running_proxy(site, tmp_path, more_sites=[second]) as proxy_:
        site.behaviour.stream_error = "Zu viele Anfragen. Bitte warten Sie eine Minute und versuchen Sie es erneut."
        first = await proxy_.chat("hi")
        site.behaviour.stream_error = ""
        held = await proxy_.chat("hi")
        assert (first.status, held.status) == (200, 200)
        assert (len(site.model_calls), len(second.model_calls)) == (0, 2)
        assert site.request_counts[STEP_1] == 1

        steady = time.monotonic
        monkeypatch.setattr(proxy_gate, "monotonic", lambda: steady() + 60)
        assert (await proxy_.chat("hi")).status == 200
        assert len(site.model_calls) == 1


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("Unable to verify this request. Please try again.", 503, "upstream_unavailable"),
        ("Server error: Stream processing components not ready.", 503, "upstream_unavailable"),
        (
            "The AI request could not be completed. Please contact the site administrator. Reference: 4f1c",
            502,
            "upstream_error",
        ),
        ("AI Puffer Cloud credits have run out. Please contact the site administrator.", 502, "upstream_error"),
        ("Could not load chatbot configuration.", 502, "upstream_error"),
    ],
)
async def test_the_other_texts_of_newer_plugins_are_the_sites_own_trouble(
    proxy: RunningProxy, site: SimulatedSite, text: str, status: int, code: str
) -> None:
    site.behaviour.stream_error = text

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (status, code)
    assert (site.request_counts[STEP_1], site.request_counts[NONCE]) == (1, 0)
