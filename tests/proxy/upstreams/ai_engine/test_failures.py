"""Failures of the simulated AI Engine site, most of which look like success, and the errors that clients get."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.upstreams.ai_engine.attempt import Attempt
from proxy.upstreams.ai_engine.planning import PlannedTurn
from proxy.upstreams.event_decoder import MAX_EVENT_BYTES
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.site_client.errors import SiteUnreachable
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import SHORT, capture_engine, chat, running_engine_proxy, streamed, text_of
from tests.proxy.upstreams.aipkit.test_attempt import SplitReply, TextSink
from tests.site_ai_engine import SimulatedAiEngine

SUBMIT = "chats/submit"


@pytest.mark.parametrize("mode", ["errhtml", "empty", "error_event"])
async def test_a_success_without_text_is_a_failure(engine_proxy: RunningProxy, mode: str) -> None:
    answer = await chat(engine_proxy, f"[[mode:{mode}]] x")

    assert (answer.status, answer.code) == (502, "upstream_empty_response")


@pytest.mark.parametrize("mode", ["late_error", "cut_clean", "incomplete"])
async def test_a_success_with_half_a_text_is_told_as_one(engine_proxy: RunningProxy, mode: str) -> None:
    events = await streamed(engine_proxy, f"[[mode:{mode}]] x")

    assert text_of(events).startswith("[gpt-4o-mini] You said: ")
    assert events[-1]["error"]["code"] == "upstream_truncated"
    assert (await chat(engine_proxy, f"[[mode:{mode}]] x")).code == "upstream_truncated"


async def test_a_stream_with_comments_alone_is_cut_and_leaves_the_site_well(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.keepalives, engine.behaviour.dies_after = 3, 0
    answers = [await chat(engine_proxy, "hi") for _ in range(6)]

    assert {answer.code for answer in answers} == {"upstream_truncated"}
    engine.behaviour.dies_after = -1
    assert (await chat(engine_proxy, "hi")).status == 200


async def test_a_stream_without_anything_does_not_make_up_for_failures(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.dies_after = 0
    codes = []
    for status in (502, 502, 502, 502, 0, 502, 0):
        engine.behaviour.rest_status = status
        codes.append((await chat(engine_proxy, "hi")).code)

    assert codes == [*["upstream_error"] * 4, "upstream_truncated", "upstream_error", "site_unavailable"]


async def test_a_stream_without_an_end_event_is_truncated(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.dies_after = 3

    assert (await streamed(engine_proxy, "hi"))[-1]["error"]["code"] == "upstream_truncated"


@pytest.mark.parametrize("kind", ["live", "error", "end"])
async def test_nothing_behind_an_answers_end_is_of_it(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, kind: str
) -> None:
    engine.behaviour.after_end = f'data: {{"type":"{kind}","data":"more"}}\n\n{{"code":"x","message":"more"}}'
    events = await streamed(engine_proxy, "[[say:all]]")

    assert (text_of(events), events[-1]) == ("all", "data: [DONE]")


async def read(engine: SimulatedAiEngine, client: SplitReply, sink: TextSink) -> None:
    """Read the answer as a turn does."""
    capture, planned = await capture_engine(engine), PlannedTurn((), "hi", (), 0, 0)
    attempt = Attempt(client, capture.credentials, planned, capture.bots[0], files=[], sink=sink, begun=lambda: None)
    async with asyncio.timeout(5):
        await attempt.run(60.0)


async def test_an_answer_is_whole_at_its_end_though_the_connection_stays_open(engine: SimulatedAiEngine) -> None:
    whole, sink = b'data: {"type":"end","data":"{\\"reply\\":\\"all\\"}"}\n\n', TextSink(2)

    await read(engine, SplitReply([whole], ends=False), sink)

    assert sink.text_so_far == "all"


async def test_nothing_is_given_out_while_the_client_pauses(engine: SimulatedAiEngine) -> None:
    live = [f'data: {{"type":"live","data":"{text}"}}\n\n'.encode() for text in "all"]
    sink = TextSink(1)

    await read(engine, SplitReply([*live, b'data: {"type":"end","data":"{\\"reply\\":\\"all\\"}"}\n\n']), sink)

    assert (sink.text_so_far, sink.unasked) == ("all", 0)


async def test_an_error_that_never_ends_is_read_for_a_moment(
    engine: SimulatedAiEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.site_client.client.ERROR_SECONDS", 0.1)
    posted = SplitReply([b"<title>One moment, please...</title>"], ends=False)
    posted.kind, posted.status = "text/html", 503

    with pytest.raises(SiteRefusal) as exc_info:
        await read(engine, posted, TextSink(1))
    assert exc_info.value.kind is RefusalKind.CHALLENGE


@pytest.mark.parametrize("kind", ["text/html", "text/plain", ""])
@pytest.mark.parametrize(
    "whole", [b'data: {"type":"end","data":"{\\"reply\\":\\"all\\"}"}\n\n', b'{"success":true,"reply":"all"}']
)
async def test_an_answer_is_read_though_php_told_the_content_type_before_the_plugin(
    engine: SimulatedAiEngine, whole: bytes, kind: str
) -> None:
    posted, sink = SplitReply([whole]), TextSink(1)
    posted.kind = kind
    await read(engine, posted, sink)

    assert sink.text_so_far == "all"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<title>One moment, please...</title>", RefusalKind.CHALLENGE),
        (b'{"code":"rest_cookie_invalid_nonce"}', RefusalKind.NONCE),
        (b"<p>It is closed.</p>", RefusalKind.UPSTREAM),
        (b": keepalive\n\n: keepalive\n\n", RefusalKind.TRUNCATED),
        (b'data: {"type":"live","data":"half"}\n\nFatal error: time is up', RefusalKind.TRUNCATED),
        (b"data: {" + b" " * MAX_EVENT_BYTES, RefusalKind.UPSTREAM),
        (b'\xef\xbb\xbfdata: {"type":"live","da', RefusalKind.TRUNCATED),
        (b'Warning: it is old\ndata: {"type":"end","data":"{\\"reply\\":\\"\\"}"}\n\n', RefusalKind.EMPTY),
    ],
)
async def test_what_comes_in_place_of_an_answer_keeps_its_meaning_with_status_200(
    engine: SimulatedAiEngine, body: bytes, kind: RefusalKind
) -> None:
    with pytest.raises(SiteRefusal) as exc_info:
        await read(engine, SplitReply([body]), TextSink(1))

    assert exc_info.value.kind is kind


@pytest.mark.parametrize(("text", "kind"), [("", RefusalKind.UNREACHABLE), ("half", RefusalKind.TRUNCATED)])
async def test_a_connection_that_breaks_cuts_what_has_started(
    engine: SimulatedAiEngine, text: str, kind: RefusalKind
) -> None:
    event = f'data: {{"type":"live","data":"{text}"}}\n\n'.encode()

    with pytest.raises(SiteRefusal) as exc_info:
        await read(engine, SplitReply([event], error=SiteUnreachable("reset")), TextSink(1))

    assert exc_info.value.kind is kind


async def test_blanks_before_nothing_are_not_passed_on(engine_proxy: RunningProxy) -> None:
    answer = await chat(engine_proxy, "[[say:  ]]")

    assert answer.code == "upstream_empty_response"


@pytest.mark.parametrize(
    ("switches", "status", "code"),
    [
        ({"limit_text": "You have reached the limit (x)."}, 429, "insufficient_quota"),
        ({"banned_words": ["hello"]}, 400, "upstream_refused"),
        ({"gateway_status": 504}, 504, "upstream_timeout"),
        ({"rest_status": 502}, 502, "upstream_error"),
        ({"rest_status": 200}, 502, "upstream_error"),  # a page in place of an answer
        ({"rest_status": 429}, 429, "rate_limit_exceeded"),
        ({"rest_closed": True}, 403, "guests_refused"),
        ({"body_limit": 10}, 413, "request_too_large"),
        ({"firewall_words": ["hello"]}, 400, "upstream_blocked_message"),
    ],
)
async def test_every_refusal_of_the_site_has_a_status_and_a_code(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, switches: dict[str, Any], status: int, code: str
) -> None:
    for name, value in switches.items():
        setattr(engine.behaviour, name, value)
    answer = await chat(engine_proxy, "hello")

    assert (answer.status, answer.code) == (status, code)


async def test_what_a_site_repeats_of_the_credentials_is_told_to_nobody(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.limit_text = f"You have reached the limit ({engine.nonce})."

    assert (await chat(engine_proxy, "hello")).body["error"]["message"].endswith("You have reached the limit (***).")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("err400", (400, "context_length_exceeded")),
        ("err401", (502, "upstream_error")),
        ("err403", (502, "upstream_error")),
        ("err404", (502, "upstream_error")),
        ("err429", (429, "rate_limit_exceeded")),
        ("err429quota", (502, "upstream_error")),
        ("err500", (502, "upstream_error")),
        ("err503", (502, "upstream_error")),
        ("refused", (502, "upstream_error")),
        ("reset", (502, "upstream_error")),
        ("failed", (502, "upstream_error")),
    ],
)
@pytest.mark.parametrize("streams", [True, False])
async def test_a_providers_error_is_reported_alike_streamed_or_not(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool, mode: str, expected: tuple[int, str]
) -> None:
    engine.behaviour.streams = streams
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        answer = await chat(proxy, f"[[mode:{mode}]] x")

    assert (answer.status, answer.code) == expected
    assert len(engine.requests_to(SUBMIT)) == 1  # the provider may have been paid


async def test_a_model_that_falls_silent_is_an_error(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    engine.behaviour.upstream_timeout = 0.1

    events = await streamed(engine_proxy, "[[mode:stall]] x")
    assert text_of(events).startswith("[gpt-4o-mini]")
    assert events[-1]["error"]["code"] == "upstream_timeout"


async def test_a_site_that_falls_silent_is_left(engine: SimulatedAiEngine, tmp_path: Path) -> None:
    engine.behaviour.first_delta_delay = 30.0
    async with running_engine_proxy(engine, data_dir=tmp_path, idle_timeout=0.2) as proxy:
        answer = await chat(proxy, "hi")

    assert (answer.status, answer.code) == (504, "upstream_timeout")


async def test_an_answer_is_cut_where_the_client_wants_it_to_end(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    answer = await chat(engine_proxy, "[[say:one two three four]]", stop=["three"])

    assert answer.text == "one two "
    assert answer.body["choices"][0]["finish_reason"] == "stop"


async def test_a_site_that_fails_again_and_again_is_left_alone(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.rest_status = 502
    codes = [(await chat(engine_proxy, "hi")).code for _ in range(6)]

    assert codes == ["upstream_error"] * 5 + ["site_unavailable"]
    assert len(engine.requests_to(SUBMIT)) == 5


async def test_a_text_that_the_page_would_not_take_is_refused_before_anything_is_sent(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    answer = await chat(engine_proxy, "x" * 21, model=SHORT)

    assert (answer.status, answer.code) == (400, "message_too_long")
    assert "takes 20 in one: shorten it, or name another model" in answer.body["error"]["message"]
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    assert "tools" in (await chat(engine_proxy, "hi", model=SHORT, tools=tools)).body["error"]["message"]
    assert len(engine.requests) == 1  # the visit's
    assert (await chat(engine_proxy, "x" * 20, model=SHORT)).status == 200


@pytest.mark.parametrize(("version", "refuses"), [("2.4.1", True), ("3.6.2", False)])
async def test_a_text_that_is_longer_in_bytes_is_refused_where_an_old_plugin_counts_those(
    engine: SimulatedAiEngine, tmp_path: Path, version: str, refuses: bool
) -> None:
    engine.behaviour.version = version
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        longer, answer = await chat(proxy, "界" * 7, model=SHORT), await chat(proxy, "界" * 6, model=SHORT)

    assert (longer.status, answer.status) == (400 if refuses else 200, 200)
    assert not refuses or longer.code == "message_too_long"


async def test_an_error_event_under_json_is_read(engine: SimulatedAiEngine, tmp_path: Path) -> None:
    capture = await capture_engine(engine)
    bots = tuple(replace(bot, max_message=100) for bot in capture.bots)  # the page lied
    async with running_engine_proxy(engine, data_dir=tmp_path, capture=replace(capture, bots=bots)) as proxy:
        answer = await chat(proxy, "x" * 50, model=SHORT)

    assert (answer.status, answer.code) == (400, "upstream_refused")
    assert "has been rejected" in answer.body["error"]["message"]
    assert len(engine.requests_to(SUBMIT)) == 1  # "rejected" is no refusal of the nonce
