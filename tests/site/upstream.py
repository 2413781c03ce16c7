"""One call to the model as the plugin relays it: which events follow `message_start`, and when (PROTOCOL 5 and 7)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.site.behaviour import Behaviour
from tests.site.dialects import Claude, Dialect, Google
from tests.site.model import Script
from tests.site.texts import NO_DATA, translated
from tests.site.wire import delta, event

# Endings that come before anything else does.
_EARLY = {
    "err400": "API Error: This model's maximum context length is 128000 tokens. (Code: context_length_exceeded)",
    "err401": "API Error: Incorrect API key provided: sk-dummy. (Code: invalid_api_key)",
    "err403": "API Error: Country, region, or territory not supported (Code: unsupported_country_region_territory)",
    "err404": "API Error: The model `stub-model` does not exist. (Code: model_not_found)",
    "err429": "API Error: Rate limit reached for stub-model in organization org-stub on requests per min. "
    "(Code: rate_limit_exceeded)",
    "err429quota": "API Error: You exceeded your current quota, please check your plan and billing details. "
    "(Code: insufficient_quota)",
    "err500": "API Error: The server had an error while processing your request.",
    "err503": "API Error: The server is overloaded or not ready yet.",
    "errhtml": "API Error: <html><head><title>502 Bad Gateway</title></head><body>bad gateway</body></html>",
    "refused": "Connection Error: Failed to connect to 127.0.0.1 port 8099 after 0 ms: Couldn't connect to server",
    "reset": "Connection Error: Recv failure: Connection reset by peer",
    "empty": NO_DATA,
    "unknown_previous_id": "API Error: Previous response with id '{id}' not found. (Code: previous_response_not_found)",
    "unknown_interaction_id": "API Error: Interaction {id} not found.",
    "unknown_mode": "API Error: The stub model knows no such mode. (Code: unknown_mode)",
}
# Endings that come after the pieces.
_LATE = {
    "cut": "Connection Error: transfer closed with outstanding read data remaining",
    "error_event": "Stub error event",
    "late_error": "Stub late error event",
    "failed": " (Error: Stub response failed)",
}
_IN_STREAM = frozenset({"error_event", "late_error", "failed"})  # the model's provider told it in its stream
_LAST_WORDS = " and so"
_INCOMPLETE = " (Incomplete: max_output_tokens)"
_REFUSAL = " (Refusal: I'm sorry, I cannot help with that.)"
_RECEIVED_BYTES = 1890  # in every recorded timeout


@dataclass(frozen=True, slots=True)
class Step:
    """Wait, then send one chunk. *text* is the part of the answer in it; *is_done* marks the end of a good turn."""

    chunk: bytes
    wait: float = 0.0
    text: str | None = None
    is_done: bool = False


def relay(script: Script, dialect: Dialect, behaviour: Behaviour, *, bad_id: str = "") -> Iterator[Step]:
    """The steps of one turn after `message_start`."""
    if script.ending in _EARLY:
        yield Step(_error(_EARLY[script.ending].replace("{id}", bad_id), behaviour))
        return
    if behaviour.whole_at_end:
        yield from _at_once(script, dialect, behaviour)
        return
    yield from map(Step, dialect.opening())
    pause = behaviour.delta_delay if script.delay is None else script.delay
    wait = behaviour.first_delta_delay
    for piece in script.pieces:
        yield Step(delta(piece), wait, piece)
        wait = pause
    yield from _ending(script, dialect, behaviour, wait)


def _at_once(script: Script, dialect: Dialect, behaviour: Behaviour) -> Iterator[Step]:
    """A turn of a host without streams: nothing until its end, then all of it; of one that broke off, nothing else."""
    text = "".join(script.pieces)
    wait = behaviour.first_delta_delay + (behaviour.delta_delay if script.delay is None else script.delay)
    if script.ending in _LATE:
        yield Step(_error(_LATE[script.ending], behaviour), wait)
        yield Step(dialect.done(""))
        return
    yield Step(dialect.at_once(text), wait, text)
    yield Step(dialect.done(text), is_done=True)


def within_time(steps: Iterator[Step], behaviour: Behaviour) -> Iterator[Step]:
    """The steps until the whole transfer has taken too long; then the timeout's error (PROTOCOL 7)."""
    limit = behaviour.upstream_timeout
    passed = 0.0
    started = time.monotonic()
    for step in steps:
        passed = max(passed, time.monotonic() - started) + step.wait
        if passed >= limit:
            millis = round(limit * 1000)
            text = (
                f"Connection Error: Operation timed out after {millis} milliseconds "
                f"with {_RECEIVED_BYTES} bytes received"
            )
            yield Step(_error(text, behaviour), max(0.0, limit - (passed - step.wait)))
            return
        yield step


def _ending(script: Script, dialect: Dialect, behaviour: Behaviour, wait: float) -> Iterator[Step]:
    ending = script.ending
    text = "".join(script.pieces)
    if ending == "refusal" and isinstance(dialect, Claude):  # of which no warning tells
        dialect.stop_reason, ending = "refusal", "ok"
    if ending == "stall":
        yield Step(b"", behaviour.upstream_timeout)
        return
    # Google's error after some text is swallowed (PROTOCOL 7).
    if ending in _LATE and not (ending == "late_error" and isinstance(dialect, Google)):
        yield Step(_error(_LATE[ending], behaviour), wait)
        if behaviour.is_since("2.4.97") and ending in _IN_STREAM:
            yield Step(dialect.done(""))
        return
    if ending == "ok":
        for chunk in dialect.closing(text):
            yield Step(chunk, wait)
            wait = 0.0
    elif ending == "incomplete" and (words := dialect.note(_LAST_WORDS)) is not None:
        yield Step(delta(words), wait, words)
        yield from map(Step, dialect.closing(text + words))
    elif ending == "incomplete":
        yield from map(Step, dialect.final_id())
        yield Step(_warning(_INCOMPLETE, behaviour))
    elif ending == "refusal":
        yield Step(_warning(_REFUSAL, behaviour))
        yield from map(Step, dialect.final_id())
    yield Step(dialect.done(text), is_done=True)


def error_id() -> str:
    """The id that goes with errors and warnings."""
    return f"err-{int(time.time())}"


def _error(text: str, behaviour: Behaviour) -> bytes:
    more = {"provider_error_code": "stub"} if behaviour.is_since("2.4.97") else {}
    return event("error", {"error": translated(text, behaviour.language)} | more, event_id=error_id())


def _warning(text: str, behaviour: Behaviour) -> bytes:
    return event("warning", {"error": translated(text, behaviour.language)}, event_id=error_id())
