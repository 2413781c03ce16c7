"""Following replies, against recordings of a real site."""

import pytest

from proxy.upstreams.aipkit.reader import MAX_LACKING, OldBots, ReplyReader
from proxy.upstreams.event_decoder import EventDecoder, ServerEvent
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from tests.recorded import SAMPLES

REST = '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash'


def read(name: str, provider: str = "OpenAI") -> tuple[str, ReplyReader, SiteRefusal | None]:
    """The text of a recorded reply, its reader, and what it failed with."""
    body = (SAMPLES / f"{name}.http").read_bytes().partition(b"\n:")[2]
    reader, text = ReplyReader(provider), ""
    try:
        for event in EventDecoder().feed(b":" + body):
            text += reader.read(event)
        reader.end()
    except SiteRefusal as refusal:
        return text, reader, refusal
    return text, reader, None


@pytest.mark.parametrize(
    ("name", "provider", "text"),
    [
        ("03-stream-ok", "OpenAI", f"[gpt-4o-mini] You said: Hello 世界 😀\n{REST}\nprior=0 images=0 END"),
        ("07-stream-e_deepseek", "DeepSeek", f"[deepseek-chat] You said: hi there\n{REST}\nprior=0 images=0 END"),
        (
            "07-stream-f_openrouter",
            "OpenRouter",
            f"[meta-llama/llama-3.3-70b-instruct] You said: hi there\n{REST}\nprior=0 images=0 END",
        ),
        ("07-stream-h_claude", "Claude", f"[claude-sonnet-4-5] You said: hi there\n{REST}\nprior=0 images=0 END"),
        (
            "07-stream-g_google",
            "Google",
            f"[gemini-2.5-flash] You said: hi google\n{REST}\nprior=0 images=0 websearch=1 END",
        ),
        ("63-openai-chatcompletions-mode", "OpenAI", f"[gpt-5-nano] You said: hi\n{REST}\nprior=0 images=0 END"),
        (
            "08-stream-markdown",
            "OpenAI",
            '# Heading\n\n- item 1\n- item 2\n\n```python\nprint("hi")\ndata: not an event\n\n```\n\nEnd.',
        ),
    ],
)
def test_whole_replies_are_read_whole(name: str, provider: str, text: str) -> None:
    read_text, reader, refusal = read(name, provider)

    assert refusal is None
    assert read_text == text
    assert (reader.started, reader.finished, reader.finish_reason) == (True, True, "stop")


def test_the_ids_to_continue_with_are_kept() -> None:
    assert read("03-stream-ok")[1].response_id == "resp_f931ff388a964277a060cee25047ec44"
    google = events('event: google_interaction_id\ndata: {"id":"v1_a"}')
    assert (google.interaction_id, google.has_state) == ("v1_a", True)
    assert read("03-stream-ok")[1].has_state
    assert not read("63-openai-chatcompletions-mode")[1].has_state
    assert read("07b-stream-google-2", "Google")[1].interaction_id == "v1_eP63RfcNR027HGmUWnkjwQ"


def test_a_list_of_citations_that_is_repeated_counts_once() -> None:
    citations = read("05-stream-websearch")[1].citations

    assert [citation["title"] for citation in citations] == ["Example A", "例子 B"]
    listed = events('event: citations\ndata: [{"url":"https://a"}]', 'event: done\ndata: {"citations":[]}')
    assert listed.citations == [{"url": "https://a"}]


@pytest.mark.parametrize(
    ("name", "provider", "kind", "text"),
    [
        ("21-get-nonce-wrong", "OpenAI", RefusalKind.NONCE, ""),
        ("31-quota-3", "OpenAI", RefusalKind.QUOTA, ""),
        ("04d-stream-conv-state-badprev", "OpenAI", RefusalKind.PREVIOUS, ""),
        ("40-upstream-err429", "OpenAI", RefusalKind.RATE_LIMIT, ""),
        ("40-upstream-errhtml", "OpenAI", RefusalKind.UPSTREAM, ""),
        ("40-upstream-empty", "OpenAI", RefusalKind.UPSTREAM, ""),
        ("40-upstream-error_event", "OpenAI", RefusalKind.UPSTREAM, ""),
        ("40-upstream-cut", "OpenAI", RefusalKind.UPSTREAM, "[gpt-4o-mini] You said: [[mode:cut]]"),
        ("40-upstream-late_error", "OpenAI", RefusalKind.UPSTREAM, "[gpt-4o-mini] You said: [[mode:late_"),
        ("42-upstream-stall", "OpenAI", RefusalKind.SITE_LIMIT, "[gpt-4o-mini] You said: [[mode:stall"),
        ("40-upstream-cut_clean", "OpenAI", RefusalKind.TRUNCATED, "[gpt-4o-mini] You said: [[mode:cut_c"),
        ("41-google-late_error", "Google", RefusalKind.TRUNCATED, "[gemini-2.5-flash] You said: [[mode:late_"),
    ],
)
def test_failures_never_look_like_answers(name: str, provider: str, kind: RefusalKind, text: str) -> None:
    read_text, _, refusal = read(name, provider)

    assert refusal is not None
    assert (refusal.kind, read_text) == (kind, text)


def test_warnings_name_the_reason() -> None:
    incomplete, refused = read("40-upstream-incomplete"), read("40-upstream-refusal")

    assert (incomplete[1].finish_reason, incomplete[1].refusal, incomplete[2]) == ("length", None, None)
    assert refused[1].finish_reason == "content_filter"
    assert refused[1].refusal == "I'm sorry, I cannot help with that."


def events(*lines: str) -> ReplyReader:
    reader = ReplyReader()
    for event in EventDecoder().feed("".join(f"{line}\n\n" for line in lines).encode()):
        reader.read(event)
    return reader


def test_an_end_without_any_text_is_no_answer() -> None:
    for lines in (['event: done\ndata: {"finished":true}'], ['data: {"delta":""}', "event: done\ndata: {}"]):
        with pytest.raises(SiteRefusal) as exc_info:
            events(*lines).end()
        assert exc_info.value.kind is RefusalKind.EMPTY


def test_a_body_that_just_ends_is_no_answer() -> None:
    with pytest.raises(SiteRefusal) as exc_info:
        events('data: {"delta":"half"}').end()

    assert exc_info.value.kind is RefusalKind.TRUNCATED


@pytest.mark.parametrize(
    "line",
    [
        "data: not json",
        "data: [1]",
        'data: {"delta":5}',
        'data: {"other":"x"}',
        "event: citations\ndata: {}",
        "event: citations\ndata: 5",
        "event: citations\ndata: [1,2]",
        "event: status\ndata: 5",
        "event: message_start\ndata:",
        "event: openai_response_id\ndata: []",
        "event: unheard_of\ndata: {}",
        "event: display_form_event\ndata: {}",
        "data: " + "[" * 100_000,
    ],
)
def test_unknown_events_are_ignored(line: str) -> None:
    reader = events(line)

    assert not reader.has_text
    assert not reader.finished
    assert not reader.citations
    assert reader.response_id == ""


def test_an_error_without_json_keeps_its_text() -> None:
    with pytest.raises(SiteRefusal, match="plain words"):
        events("event: error\ndata: plain words")


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ('"quota_notice":{"type":"quota_notice"}', RefusalKind.QUOTA),
        ('"quota_notice":null', RefusalKind.UNRECOGNISED),
        ('"ts_required":true', RefusalKind.CHALLENGE),  # some sites want their visitors to pass a check in the page
        ('"ts_required":false', RefusalKind.UNRECOGNISED),
    ],
)
def test_a_mark_beside_an_error_counts_unless_it_says_nothing(mark: str, kind: RefusalKind) -> None:
    with pytest.raises(SiteRefusal) as exc_info:
        events(f'event: error\ndata: {{"error":"No.",{mark}}}')

    assert exc_info.value.kind is kind


def failure_of(provider: str, *events: tuple[str, str]) -> RefusalKind | None:
    """The failure of a reply with these events and an end mark; None if there is none."""
    reader = ReplyReader(provider)
    for name, data in (*events, ("done", '{"finished":true}')):
        reader.read(ServerEvent(name, data))
    try:
        reader.end()
    except SiteRefusal as refusal:
        return refusal.kind
    return None


ID = ("google_interaction_id", '{"id":"v1_1"}')
TEXT = ("message", '{"delta":"Hello"}')
XAI = ("status", '{"type":"response.created","response_id":"ad5663da-63e6-86c6-e0be-ff15effa8357"}')


@pytest.mark.parametrize("more", ["", ',"response_id":"resp_0a"', ',"response_id":"gen-1764"', ',"response_id":1'])
@pytest.mark.parametrize("status", ["response.created", "response.in_progress", "message_start", "message_delta"])
def test_a_polite_cut_is_seen_though_nobody_knows_the_provider(status: str, more: str) -> None:
    assert failure_of("", ("status", f'{{"type":"{status}"{more}}}'), TEXT) is RefusalKind.TRUNCATED


def test_an_answer_that_openrouter_does_not_complete_is_cut() -> None:
    assert failure_of("OpenRouter", ("status", '{"type":"response.created"}'), TEXT) is RefusalKind.TRUNCATED


@pytest.mark.parametrize(
    ("provider", "events"),
    [
        ("Google", [ID, TEXT]),  # all of it in one read of the model's answer: one event of each kind
        ("Google", [ID, ID, TEXT, TEXT, ID, TEXT]),  # its end came with the last of the text
        ("Google", [ID, ("message", '{"delta":""}'), TEXT]),
        ("OpenRouter", [("status", '{"type":"response.completed"}'), TEXT]),
        ("OpenRouter", [("status", '{"type":"response.created"}'), TEXT, ("status", '{"type":"response.done"}')]),
        ("", [("status", '{"type":"response.created"}'), TEXT, ("status", '{"type":"response.done"}')]),
        ("Claude", [("status", '{"type":"message_stop"}'), TEXT]),
        ("OpenAI", [("openai_response_id", '{"id":"r"}'), ("status", '{"type":"response.in_progress"}'), TEXT]),
    ],
)
def test_what_came_in_one_read_is_whole_though_its_end_stands_before_the_text(
    provider: str, events: list[tuple[str, str]]
) -> None:
    assert failure_of(provider, *events) is None


@pytest.mark.parametrize("provider", ["OpenAI", "OpenRouter", "Claude", "Google", "DeepSeek", ""])
def test_plugins_without_a_status_need_none(provider: str) -> None:
    assert failure_of(provider, TEXT, TEXT) is None


@pytest.mark.parametrize(
    ("provider", "events"),
    [
        ("", [("status", '{"type":"response.created"}'), TEXT, ("openai_response_id", '{"id":"r"}')]),
        ("OpenAI", [("status", '{"type":"response.created"}'), TEXT, ("warning", '{"error":" (Incomplete: x)"}')]),
        ("DeepSeek", [TEXT, ("display_form_event", "{}")]),  # of a trigger, beside the model's answer
        ("", [XAI, TEXT, TEXT]),  # xAI's answers have neither a last status nor an id at their end
        ("", [XAI, ("status", '{"type":"response.web_search_call.completed","item_id":"ws_0a"}'), TEXT]),
    ],
)
def test_what_needs_no_mark_behind_it_is_whole(provider: str, events: list[tuple[str, str]]) -> None:
    assert failure_of(provider, *events) is None


def test_a_second_beginning_before_any_text_adds_none() -> None:
    start = ServerEvent("message_start", '{"message_id":"m"}')
    reader = ReplyReader()

    assert [reader.read(start), reader.read(start), reader.read(ServerEvent(*TEXT)), reader.read(start)] == [
        "",
        "",
        "Hello",
        "\n\n",
    ]


def test_an_id_that_is_told_twice_before_the_text_is_no_end() -> None:
    assert failure_of("Google", ID, ID, TEXT, TEXT) is RefusalKind.TRUNCATED


def reply(*, id: bool, status: bool = False, needs_id: bool = False) -> ReplyReader:
    """A reply that was read to its end mark."""
    reader = ReplyReader("OpenAI", needs_id=needs_id)
    if status:
        reader.read(ServerEvent("status", '{"type":"response.created"}'))
    reader.read(ServerEvent("message", '{"delta":"Hello wor"}'))
    if id:
        reader.read(ServerEvent("openai_response_id", '{"id":"resp_1"}'))
    reader.read(ServerEvent("done", '{"finished":true}'))
    return reader


def test_an_old_bot_that_ends_its_replies_with_an_id_was_cut_without_it() -> None:
    with pytest.raises(SiteRefusal) as exc_info:
        reply(id=False, needs_id=True).end()

    assert exc_info.value.kind is RefusalKind.TRUNCATED
    reply(id=True, needs_id=True).end()
    reply(id=False).end()  # nothing is known of this bot


def test_an_old_bot_is_known_by_an_id_without_status_and_forgotten_when_it_changes() -> None:
    bots = OldBots()
    bots.learn(5, reply(id=False))
    assert not bots.needs_id(5)

    bots.learn(5, reply(id=True))
    assert bots.needs_id(5)
    assert not bots.needs_id(6)

    bots.learn(5, reply(id=True, status=True))  # the plugin was updated: its status tells
    assert not bots.needs_id(5)

    bots.learn(5, reply(id=True))
    for _ in range(MAX_LACKING):
        bots.learn(5, events('data: {"delta":"half"}'))  # these show nothing: cut, or empty
        bots.learn(5, events("event: done\ndata: {}"))
    for _ in range(MAX_LACKING - 1):
        bots.learn(5, reply(id=False))
    bots.learn(5, reply(id=True))
    for _ in range(MAX_LACKING):
        assert bots.needs_id(5)
        bots.learn(5, reply(id=False))
    assert not bots.needs_id(5)  # it was set up in another way
