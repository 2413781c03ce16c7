"""Read one answer, event by event or, where the site does not stream, whole.

Much that the plugin calls a success is none: an answer without text, a stream that just ends, and a truncated one,
which shows by the plugin's not knowing what its provider counted.
"""

from collections.abc import Mapping
from typing import Any

from proxy.chat.tokens import Usage
from proxy.upstreams.ai_engine.refusals import from_error
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.plugins.ai_engine.routes import is_nonce
from shared.plugins.lenient_json import read_object, text_at

_GUESSED = frozenset({"estimated", "none"})  # the plugin's own figures, or none; before 2.8.8 it does not say
MAX_BLANKS = 64 * 1024  # characters before the first text
_LINE_FEED = "  \n"  # what it makes of a line feed that came alone
_RESPONSES = "resp_"  # answers of an API that counts every whole one


class ReplyReader:
    """Reads the events of one answer: returns its text, and keeps everything else."""

    def __init__(self) -> None:
        self.has_text = False
        self.finished = False
        self.new_nonce = ""
        self.usage: Usage | None = None
        self._streamed: list[str] = []  # as it came
        self._blanks = ""  # held back: an answer of nothing else is none
        self._is_cut = False

    def read(self, event: Mapping[str, Any]) -> str:
        """The text that *event* adds; empty for all events that add none. Raises `SiteRefusal`."""
        kind = text_at(event, "type")
        if kind == "live":
            return self._read_live(event)
        if kind == "end":
            return self._read_end(read_object(text_at(event, "data")))
        if kind == "error":
            raise from_error(event, "data")
        return ""

    def read_plain(self, answer: Mapping[str, Any]) -> str:
        """The text of an answer that is no stream. Raises `SiteRefusal`."""
        if not answer.get("success") and text_at(answer, "message"):
            raise from_error(answer, "message")
        if "reply" not in answer:
            return ""
        text = self._read_end(answer)
        self._is_cut = False  # without a stream, the plugin guesses for no such answer
        return text

    def end(self) -> None:
        """The body has ended. Raises `SiteRefusal` unless a whole answer was read."""
        if not self.finished:
            raise SiteRefusal(
                RefusalKind.TRUNCATED, "the stream ended without its end mark", logged=False, by_plugin=False
            )
        if not self.has_text:
            raise SiteRefusal(RefusalKind.EMPTY, "", logged=False)
        if self._is_cut:
            raise SiteRefusal(RefusalKind.TRUNCATED, "the model's part ended early", logged=False)

    def _read_live(self, event: Mapping[str, Any]) -> str:
        if event.get("subtype") not in (None, "content"):  # what the site does meanwhile
            return ""
        text = text_at(event, "data")
        self._streamed.append(text)
        return self._given("\n" if text == _LINE_FEED else text)

    def _given(self, text: str) -> str:
        if self.has_text or text.strip():
            text, self._blanks = self._blanks + text, ""
            self.has_text = self.has_text or bool(text)
            return text
        self._blanks += text
        if len(self._blanks) > MAX_BLANKS:
            raise SiteRefusal(RefusalKind.UPSTREAM, "blanks come and no answer", logged=False)
        return ""

    def _read_end(self, answer: Mapping[str, Any]) -> str:
        self.finished = True
        usage = answer.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        accuracy = text_at(usage, "accuracy")
        is_counted = text_at(answer, "responseId").startswith(_RESPONSES)
        self._is_cut = is_counted and accuracy == "estimated"
        if accuracy not in _GUESSED:
            self.usage = _usage(usage)
        token = text_at(answer, "new_token")
        self.new_nonce = token if is_nonce(token) else ""
        text = text_at(answer, "reply").strip()
        pictures = _pictures(answer, text)
        if self.has_text:
            self._is_cut = self._is_cut or not (text or pictures or answer.get("actions"))
            rest = _added(text, "".join(self._streamed).strip())
            return f"{rest}\n\n{pictures}" if pictures else rest
        self._blanks = ""
        return self._given("\n\n".join(filter(None, (text, pictures))))


def _added(reply: str, streamed: str) -> str:
    """What the *reply* has after what was streamed: a picture that the model drew beside its text, say."""
    return reply[len(streamed) :] if reply.startswith(streamed) else ""


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if type(count) is int and count >= 0 else None for count in counts)
    # A completion of no tokens was not counted.
    return Usage(prompt, completion) if prompt is not None and completion else None


def _pictures(answer: Mapping[str, Any], text: str) -> str:
    """The pictures of an answer that its text does not show, in Markdown."""
    images = answer.get("images")
    listed = images if isinstance(images, list) else []
    addresses = [each for each in listed if isinstance(each, str) and each and each not in text]
    return "\n\n".join(f"![]({address})" for address in addresses)
