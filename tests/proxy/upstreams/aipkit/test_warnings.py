"""Contents of the site's warnings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstreams.aipkit.reader import ReplyReader, read_warning, refusal_in
from proxy.upstreams.event_decoder import ServerEvent
from tests.proxy.upstreams.aipkit.test_attempt import read
from tests.security.hostile_site import DONE, OPENING, delta


@pytest.mark.parametrize(
    ("warning", "text", "reasons"),
    [
        (" (Incomplete: max_output_tokens)", "", " (Incomplete: max_output_tokens)"),
        ("all of it (Incomplete: max_output_tokens)", "all of it", " (Incomplete: max_output_tokens)"),
        ("Half of it (Warning: Content Filtered)\n", "Half of it", " (Warning: Content Filtered)"),
        ("so (Warning: hot) now (Incomplete: x)", "so (Warning: hot) now", " (Incomplete: x)"),
        (" (Refusal: I'm) (Refusal:  sorry (a))", "", " (Refusal: I'm) (Refusal:  sorry (a))"),
        ("Text (Unvollständig: max_output_tokens)", "Text", " (Unvollständig: max_output_tokens)"),
        ("Text (Warnung: HARM_CATEGORY_HARASSMENT)", "Text", " (Warnung: HARM_CATEGORY_HARASSMENT)"),  # Google's
        (" (Warnung: SAFETY)", "", " (Warnung: SAFETY)"),
        (" (Ablehnung: Es tut mir leid.)", " (Ablehnung: Es tut mir leid.)", ""),
        ("f(x: int) and (a: b)", "f(x: int) and (a: b)", ""),
        ("", "", ""),
    ],
)
def test_the_answers_text_is_told_from_the_reasons(warning: str, text: str, reasons: str) -> None:
    assert read_warning(warning) == (text, reasons)


@given(st.text(max_size=30), st.sampled_from(["", " (Incomplete: max_output_tokens)", " (Refusal: no) (Refusal: !)"]))
def test_nothing_of_a_warning_is_lost(text: str, reasons: str) -> None:
    message, why = read_warning(text + reasons)

    assert (text + reasons).startswith(message + why)
    assert not (text + reasons)[len(message + why) :].strip()
    if reasons:
        assert why.endswith(reasons)


def test_a_refusal_in_chunks_is_one() -> None:
    assert refusal_in(" (Refusal: I'm) (Refusal:  sorry,) (Refusal:  I cannot (really) help.)") == (
        "I'm sorry, I cannot (really) help."
    )
    assert refusal_in(" (Incomplete: max_output_tokens)") is None


def reply_text(*events: tuple[str, str], provider: str = "OpenAI") -> tuple[str, ReplyReader]:
    reader = ReplyReader(provider)
    text = "".join(reader.read(ServerEvent(name, data)) for name, data in (*events, ("done", '{"finished":true}')))
    reader.end()
    return text, reader


def test_text_and_warning_in_one_event_reach_the_client() -> None:
    text, reader = reply_text(
        ("message", '{"delta":"First part, "}'),
        ("warning", '{"error":"second part (Incomplete: max_output_tokens)"}'),
    )

    assert (text, reader.finish_reason, reader.refusal) == ("First part, second part", "length", None)


def test_several_warnings_count_together() -> None:
    pieces = ("I'm", " sorry,", " I cannot help.")
    text, reader = reply_text(*(("warning", f'{{"error":" (Refusal: {piece})"}}') for piece in pieces))

    assert (text, reader.finish_reason, reader.refusal) == ("", "content_filter", "I'm sorry, I cannot help.")


def test_a_limit_of_claude_is_told_by_its_status_or_its_words() -> None:
    limit = ("warning", '{"error":"Claude stopped because the maximum output token limit was reached."}')
    by_words = reply_text(
        ("message", '{"delta":"Long"}'), limit, ("status", '{"type":"message_stop"}'), provider="Claude"
    )
    by_status = [
        reply_text(
            ("message", '{"delta":"Long"}'),
            ("status", '{"type":"message_delta","stop_reason":"max_tokens"}'),
            ("warning", '{"error":" (Warnung: Limit)"}'),
            ("status", '{"type":"message_stop"}'),
            provider=provider,
        )
        for provider in ("Claude", "")
    ]

    assert (by_words[0], by_words[1].finish_reason) == ("Long", "length")
    in_german = reply_text(
        ("message", '{"delta":"Long"}'),
        ("status", '{"type":"message_stop"}'),
        ("warning", '{"error":"Claude hat das Limit der Ausgabe-Tokens erreicht."}'),
        provider="Claude",
    )
    bare = reply_text(
        ("message", '{"delta":"Long"}'),
        ("status", '{"type":"message_delta","stop_reason":"max_tokens"}'),
        ("status", '{"type":"message_stop"}'),
        provider="Claude",
    )

    for text, reader in by_status:
        assert (text, reader.finish_reason) == ("Long (Warnung: Limit)", "length")
    assert (bare[0], bare[1].finish_reason) == ("Long", "length")
    assert in_german[1].finish_reason == "length"


@pytest.mark.parametrize("provider", ["Google", ""])
@pytest.mark.parametrize(
    ("deltas", "text", "reason"),
    [
        (["Long", " text (Note: MAX_TOKENS)"], "Long text", "length"),
        (["Long", " (Note: MAX_TOKENS) text"], "Long text", "length"),  # before 2.3.93
        (["Long (Note: MAX_TOKENS)", ""], "Long", "length"),
        ([" (注意: MAX_TOKENS)"], "", "length"),  # all of its limit went into its thoughts
        (["Half a song (Hinweis: RECITATION)"], "Half a song", "content_filter"),
        (["It ends so: (Note: MAX_TOKENS)", " and goes on"], "It ends so: (Note: MAX_TOKENS) and goes on", "stop"),
        (["a (Note: RECITATION)", "b (Note: RECITATION)"], "a (Note: RECITATION)b", "content_filter"),
        (["Speak (Note: HTTP)"], "Speak (Note: HTTP)", "stop"),
        (["A cat (Label: OTHER)"], "A cat (Label: OTHER)", "stop"),  # which no reader of prose could tell from a note
    ],
)
def test_why_google_stopped_is_told_from_its_text(provider: str, deltas: list[str], text: str, reason: str) -> None:
    events = [("message", json.dumps({"delta": piece})) for piece in deltas]
    given, reader = reply_text(*events, provider=provider)

    assert (given, reader.finish_reason, reader.refusal) == (text, reason, None)
    assert bool(reader.has_text) == bool(text)


async def test_a_note_that_more_follows_is_given_out_however_the_reply_is_cut() -> None:
    sent = OPENING + delta("so (Note: RECITATION)") + delta(" on") + DONE

    for cut in range(len(sent)):
        assert (await read([sent[:cut], sent[cut:]], provider="Google")).text == "so (Note: RECITATION) on"


def test_such_words_of_another_model_are_its_own() -> None:
    text, reader = reply_text(("message", '{"delta":"so (Note: RECITATION)"}'))

    assert (text, reader.finish_reason) == ("so (Note: RECITATION)", "stop")


@pytest.mark.parametrize("provider", ["Claude", ""])
@pytest.mark.parametrize(
    ("text", "why", "reason"),
    [
        ("Half", "refusal", "content_filter"),
        ("", "refusal", "content_filter"),
        ("Half", "model_context_window_exceeded", "length"),
        ("Half", "pause_turn", "stop"),
    ],
)
def test_a_reason_of_claude_without_a_warning_counts(provider: str, text: str, why: str, reason: str) -> None:
    given, reader = reply_text(
        ("message", json.dumps({"delta": text})),
        ("status", json.dumps({"type": "message_delta", "stop_reason": why})),
        ("status", '{"type":"message_stop"}'),
        provider=provider,
    )

    assert (given, reader.finish_reason) == (text, reason)
