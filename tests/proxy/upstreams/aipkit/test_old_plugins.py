"""Sites whose plugin is older than the recorded one, and sites in other languages (PROTOCOL 13)."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import JPEG, PNG
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.site import SimulatedSite

STEP_1 = "aipkit_cache_sse_message"
NONCE = "aipkit_get_frontend_chat_nonce"
OLDEST = "2.3"


def shows(*contents: bytes) -> dict[str, Any]:
    images = [{"type": "image_url", "image_url": {"url": data_url(content)}} for content in contents]
    return {"role": "user", "content": [{"type": "text", "text": "look"}, *images]}


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def pictures_sent(site: SimulatedSite) -> list[bytes]:
    """The pictures in the newest message that the site stored."""
    fields = [one.fields for one in site.requests if one.action == STEP_1 and one.fields["message"]][-1]
    return [base64.b64decode(image["base64_data"]) for image in json.loads(fields.get("image_inputs", "[]"))]


@pytest.mark.parametrize("version", [OLDEST, "2.3.43", "2.3.94", "2.4.12", "2.4.71", "2.4.97"])
@pytest.mark.parametrize("model", ["gpt-4o-mini-helper", "gemini-flash", "deepseek-bot", "llama-via-openrouter"])
async def test_every_version_is_understood(proxy: RunningProxy, site: SimulatedSite, version: str, model: str) -> None:
    site.behaviour.version = version

    for _ in range(2):
        assert (await proxy.chat("hi", model=model)).text.endswith("END")


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini-helper", "gemini-flash", "deepseek-bot", "llama-via-openrouter", "claude-sonnet-b"]
)
async def test_an_answer_that_comes_whole_at_its_end_is_one(
    proxy: RunningProxy, site: SimulatedSite, model: str
) -> None:
    site.behaviour.update({"version": "2.4.97", "whole_at_end": True})

    answer = await proxy.chat("hi", model=model)

    assert (answer.status, answer.text[-3:]) == (200, "END")
    assert (await proxy.chat("[[mode:late_error]] hi", model=model)).code == "upstream_error"


@pytest.mark.parametrize("version", [OLDEST, "2.3.94", "2.4.12"])
async def test_a_limit_of_google_is_told_and_stands_in_no_text(
    proxy: RunningProxy, site: SimulatedSite, version: str
) -> None:
    site.behaviour.version = version

    answer = await proxy.chat("[[mode:incomplete]] hi", model="gemini-flash")

    assert answer.text.endswith(" and so")
    assert answer.body["choices"][0]["finish_reason"] == "length"


async def test_a_refusal_of_claude_that_only_its_status_tells_is_one(proxy: RunningProxy) -> None:
    answer = await proxy.chat("[[mode:refusal]] hi", model="claude-sonnet-b")

    assert answer.body["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("mode", ["late_error", "failed", "error_event", "cut"])
async def test_an_error_that_an_end_mark_follows_is_no_answer(
    proxy: RunningProxy, site: SimulatedSite, mode: str
) -> None:
    site.behaviour.version = "2.4.97"

    answer = await proxy.chat(f"[[mode:{mode}]] hi")

    assert (answer.status, answer.code) == (502, "upstream_error")


@pytest.mark.parametrize("prefix", ["\ufeff", "\ufeff\r\n\r\n", "\n \n"])
async def test_what_other_plugins_write_before_the_json_is_passed_over(
    proxy: RunningProxy, site: SimulatedSite, prefix: str
) -> None:
    site.behaviour.json_prefix = prefix
    site.rotate_nonce()

    assert (await proxy.chat("hi")).text.endswith("END")
    assert site.request_counts[NONCE] == 1


async def test_what_a_server_compresses_unasked_is_read(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.compresses = True
    site.rotate_nonce()

    assert (await proxy.chat("Hello 世界")).text.startswith("[gpt-4o-mini] You said: Hello 世界")
    assert site.request_counts[NONCE] == 1


async def test_a_polite_cut_of_an_old_bot_is_seen_once_its_id_was(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.version = OLDEST

    unknown = await proxy.chat("[[mode:cut_clean]] hi")
    whole = await proxy.chat("hi")
    cut = await proxy.chat("[[mode:cut_clean]] hi")
    other = await proxy.chat("[[mode:cut_clean]] hi", model="deepseek-bot")  # ends its replies with no id at all

    assert (unknown.status, whole.status, other.status) == (200, 200, 200)
    assert (cut.status, cut.code) == (502, "upstream_truncated")
    assert (await proxy.chat("hi")).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_site_that_takes_one_picture_gets_the_newest_and_the_rest_is_reported(
    proxy: RunningProxy, site: SimulatedSite, stream: bool
) -> None:
    site.behaviour.version = "2.4.12"
    body = {"model": "gpt-4o-mini-helper", "stream": stream, "messages": [shows(PNG, JPEG)]}

    page = {"Origin": "http://localhost:3000"}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body, headers=page) as response:
        text = await response.text()

    assert "images=1" in text
    assert response.headers["x-dropped-images"] == "1"
    assert "x-dropped-images" in response.headers["Access-Control-Expose-Headers"]
    assert pictures_sent(site) == [JPEG]
    assert len(site.model_calls) == 1


async def test_how_many_pictures_a_site_takes_is_asked_once_and_only_for_several(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    one = await proxy.chat(shows(PNG))
    assert site.request_counts[STEP_1] == 1

    two = await proxy.chat(shows(PNG, JPEG))
    more = await proxy.chat(shows(PNG, JPEG))

    assert site.request_counts[STEP_1] == 4  # three messages, and the question
    assert not any("x-dropped-images" in answer.headers for answer in (one, two, more))
    assert pictures_sent(site) == [PNG, JPEG]


async def test_a_site_that_does_not_say_how_many_pictures_it_takes_is_given_up_in_time_for_another(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.aipkit.site.MOVE_ON_SECONDS", 0.3)
    async with SimulatedSite() as second, running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        site.behaviour.ajax_delay = 90.0
        async with asyncio.timeout(5):
            answer = await proxy.chat(shows(PNG, JPEG))

    assert answer.status == 200
    assert pictures_sent(second) == [PNG, JPEG]


async def test_a_plugin_that_was_updated_gets_all_pictures_after_the_next_visit(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.version = "2.4.12"
    assert (await proxy.chat(shows(PNG, JPEG))).headers["x-dropped-images"] == "1"

    site.behaviour.version = "2.4.71"
    taken = await capture(site)
    later = replace(taken.credentials, captured_at=taken.credentials.captured_at + 1)
    await proxy.takes(replace(taken, credentials=later), base=1)
    answer = await proxy.chat(shows(PNG, JPEG))

    assert "x-dropped-images" not in answer.headers
    assert pictures_sent(site) == [PNG, JPEG]


async def test_more_pictures_than_any_site_takes_are_reported_too(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await proxy.chat(shows(PNG, PNG), {"role": "assistant", "content": "ok"}, shows(JPEG, JPEG, JPEG, JPEG))

    assert answer.headers["x-dropped-images"] == "2"
    assert pictures_sent(site) == [JPEG] * 4

    in_one = await proxy.chat(shows(PNG, JPEG, JPEG, JPEG, JPEG))

    assert (in_one.status, in_one.headers["x-dropped-images"]) == (200, "1")
    assert pictures_sent(site) == [JPEG] * 4


@pytest.mark.parametrize(
    "text",
    [
        "You have reached your token limit for this period.",
        "That's all for today. Upgrade for more!",
        "Sie haben Ihr Kontingent für diesen Zeitraum erreicht.",
        "您的免费额度已用完。",
    ],
)
async def test_a_quota_before_it_had_a_mark_is_known_by_its_words(
    proxy: RunningProxy, site: SimulatedSite, text: str
) -> None:
    site.behaviour.update({"version": "2.4.4", "quota_text": text})
    while (answer := await proxy.chat("hi", model="quota-bot")).status == 200:
        pass

    assert (answer.status, answer.code) == (429, "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"
    assert site.request_counts[NONCE] == 0


async def test_a_refusal_in_words_nobody_knows_goes_to_the_next_site(site: SimulatedSite, tmp_path: Path) -> None:
    async with SimulatedSite() as second, running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        site.behaviour.stream_error = "Heute geschlossen."

        answer = await proxy.chat("hi")

        assert answer.status == 200
        assert len(second.model_calls) == 1
        second.behaviour.stream_error = "Auch geschlossen."
        refused = await proxy.chat("hi")
        assert (refused.status, refused.code) == (400, "upstream_refused")


async def test_a_refusal_in_words_nobody_knows_of_an_id_that_the_page_does_not_show_is_404(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, models={"gone": 999}) as proxy:
        site.behaviour.language = "de"  # "Ungültiger Chatbot angegeben."

        gone = await proxy.chat("hi", model="gone")
        site.behaviour.stream_error = "Heute geschlossen."
        unheard_of = await proxy.chat("hi", model="gone")
        shown = await proxy.chat("hi")

    assert (unheard_of.status, unheard_of.code) == (404, "model_not_found")
    assert (gone.status, gone.code) == (404, "model_not_found")
    assert (shown.status, shown.code) == (400, "upstream_refused")


async def test_a_refusal_in_words_nobody_knows_says_nothing_of_a_bot_where_no_page_was_read(
    site: SimulatedSite, tmp_path: Path
) -> None:
    found = await capture(site)
    async with running_proxy(site, tmp_path, captured=False, models={"mine": found.bots[0].id}) as proxy:
        await proxy.store.save_capture(replace(found, bots=()), base=0)
        site.behaviour.stream_error = "Heute geschlossen."
        refused = await proxy.chat("hi", model="mine")

    assert (refused.status, refused.code) == (400, "upstream_refused")


async def test_a_bot_of_xai_that_no_page_shows_answers_whole(site: SimulatedSite, tmp_path: Path) -> None:
    found = await capture(site)
    async with running_proxy(site, tmp_path, captured=False, models={"grok": 19, "gpt": 5}) as proxy:
        await proxy.store.save_capture(replace(found, bots=()), base=0)
        whole = [await proxy.chat("hi", model=model) for model in ("grok", "gpt")]
        searched = await proxy.chat("hi", model="grok", web_search=True)
        cut = await proxy.chat("[[mode:cut_clean]] hi", model="gpt")

    assert all(answer.text.endswith("END") for answer in (*whole, searched))
    assert (cut.status, cut.code) == (502, "upstream_truncated")


async def test_a_key_that_is_missing_in_another_language_leaves_its_message_in_the_log(
    site: SimulatedSite, tmp_path: Path
) -> None:
    """The next turn must not continue a copy that holds the failed one."""
    site.behaviour.language = "de"
    async with running_proxy(site, tmp_path) as proxy:
        broken = await proxy.chat("hi", model="keyless-bot")

    assert (broken.status, broken.code) == (502, "upstream_error")
    assert site.request_counts[NONCE] == 0
