"""Read one reply of a site from its first event to its last (PROTOCOL 5 and 7)."""

import re
from collections.abc import Sequence
from typing import Any

from proxy.chat.upstream import FinishReason
from proxy.upstreams.aipkit.refusals import from_stream_error
from proxy.upstreams.event_decoder import ServerEvent
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.conversations import Citation
from shared.plugins.lenient_json import read_json, read_object, text_at

MAX_LACKING = 5  # replies without a response id, one after the other, that are taken for cut ones
_LABEL = r" ?\((?:Refusal|Incomplete|Warning): "
# A reason in brackets; in other languages it is known by what stands in them, where that is a code.
_REASON = (
    rf"(?:{_LABEL}(?:(?!{_LABEL}).)*?\)| ?\([^():\n]{{1,40}}: (?:[a-z]+(?:_[a-z]+)+|[A-Z]{{3,}}(?:_[A-Z]+)*)\)"
    r"|\s*Claude stopped because [^.]*\.)"
)
_REASONS = re.compile(rf"({_REASON}+)\s*\Z", re.DOTALL)
_REFUSED = re.compile(rf" ?\(Refusal: ((?:(?!{_LABEL}).)*)\)", re.DOTALL)
_COMPLETED = frozenset({"response.completed", "response.done"})  # OpenRouter has both names
_XAI_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # OpenAI's and OpenRouter's begin with a word
_LIMITS = ("max_output_tokens", "max_tokens", "maximum output token", "MAX_TOKENS")
_STOPPED_BY_LIMIT = frozenset({"max_tokens", "model_context_window_exceeded"})  # Claude's `stop_reason`
# Why Google stopped, as plugins before 2.4.67 put it into the text of the last read (at its end; before 2.3.93 ahead of
# that text), in the site's language. Other reasons come as warnings, or (OTHER, LANGUAGE) may be words of the answer.
_NOTE = re.compile(
    r" \([^():\n]{1,40}: (?:MAX_TOKENS|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII"
    r"|MALFORMED_FUNCTION_CALL|UNEXPECTED_TOOL_CALL)\)"
)


class ReplyReader:
    """Reads the events of one reply: returns its text, and keeps everything else.

    An upstream failure raises `SiteRefusal`, so that it can never look like an answer.
    """

    def __init__(self, provider: str = "", *, needs_id: bool = False) -> None:
        """*needs_id*: the bot is known to end each whole reply with a response id."""
        self._provider = provider
        self._needs_id = needs_id
        self.last_status = ""  # how the model's part went, as plugins since 2.3.69 tell
        self.pieces = 0  # of text, since the last `google_interaction_id`; from the second on they need not be counted
        self.started = False  # the site has logged the user's message and calls the model
        self.finished = False
        self.has_text = False
        self.response_id = ""
        self.interaction_id = ""
        self.citations: list[dict[str, Any]] = []
        self.warning = ""  # the reasons of all warnings
        self.may_have_note = provider in {"Google", ""}  # behind its text, why it stopped
        self._pages: list[dict[str, Any]] = []  # that Google names
        self._held = ""  # text with such a note, which is one if nothing follows
        self._is_limited = False
        self._is_xai = False  # as told by the status: xAI's answers have no mark at their end
        self._asks_form = False  # of the visitor, in place of an answer

    def read(self, event: ServerEvent) -> str:
        """The text that *event* adds; empty for all events that add none. Raises `SiteRefusal`."""
        if event.name == "message":
            return self._read_delta(text_at(read_object(event.data), "delta"))
        if event.name == "status":
            self._read_status(read_object(event.data))
        elif event.name == "message_start":
            is_second, self.started = self.started and self.has_text, True
            return "\n\n" if is_second else ""  # what an operator's trigger said comes before the model's answer
        elif event.name == "done":
            self.finished = True
            self._read_citations(read_object(event.data).get("citations"))
            self.citations = self.citations or self._pages
            return self._read_note()
        elif event.name == "error":
            self._read_error(event.data)
        elif event.name == "warning":
            return self._read_warning(text_at(read_object(event.data), "error"))
        elif event.name == "openai_response_id":
            self.response_id = text_at(read_object(event.data), "id")
        elif event.name == "google_interaction_id":
            self.interaction_id = text_at(read_object(event.data), "id")
            self.pieces = 0
        elif event.name == "citations":
            self._read_citations(read_json(event.data))
        elif event.name == "grounding_metadata":
            self._read_grounding(read_object(event.data).get("groundingChunks"))
        elif event.name == "display_form_event":
            self._asks_form = True
        return ""

    @property
    def is_holding(self) -> bool:
        """Whether text is held back until it is known whether more follows."""
        return bool(self._held)

    def reads_alone(self, text: str) -> bool:
        """Whether deltas with this *text* must be read one by one: a note may be in it, or just before."""
        return bool(self._held) or (self.may_have_note and _NOTE.search(text) is not None)

    def release(self) -> str:
        """The text that was held back, of a reply that goes no further."""
        text, self._held = self._held, ""
        return text

    def end(self) -> None:
        """The body has ended. Raises `SiteRefusal` unless a whole reply was read."""
        if not self.finished:
            raise SiteRefusal(RefusalKind.TRUNCATED, "the stream ended without its end mark", logged=True)
        if not self.has_text and not self.warning and self._asks_form:
            raise SiteRefusal(RefusalKind.BOT_BROKEN, "it wants its visitors to fill in a form first", logged=True)
        if not self.has_text and not self.warning:
            raise SiteRefusal(RefusalKind.EMPTY, "", logged=True)
        if not self.warning and (self._is_cut_short or (self._needs_id and not self.response_id)):
            raise SiteRefusal(RefusalKind.TRUNCATED, "the model's part ended early", logged=True)

    @property
    def has_state(self) -> bool:
        """Whether the model's provider keeps the conversation."""
        return bool(self.response_id or self.interaction_id)

    @property
    def has_begun(self) -> bool:
        """Whether the site has logged the message, or sent any of its answer."""
        return self.started or self.has_text

    @property
    def finish_reason(self) -> FinishReason:
        """OpenAI's word for why the reply ended."""
        if self._is_limited:
            return "length"
        return "content_filter" if self.warning else "stop"

    @property
    def refusal(self) -> str | None:
        """What the model said instead of an answer, where it refused."""
        return refusal_in(self.warning) if self.warning else None

    @property
    def _is_cut_short(self) -> bool:
        """Some providers always close with a mark of their own; its absence shows a reply that was cut politely.

        The plugin makes one event of each kind of all that one read of the model's answer brings, the text last: of a
        short answer, or where the host knows no streams (PROTOCOL 13), the mark may stand before all the text.
        """
        if self._provider == "OpenAI":
            return self.last_status.startswith("response.") and not self.response_id
        if self._provider == "Google":
            return bool(self.interaction_id) and self.pieces > 1
        if self._provider == "OpenRouter":
            return self.last_status.startswith("response.") and self.last_status not in _COMPLETED
        if self._provider == "Claude":
            return self.last_status not in {"", "message_stop"}
        if self._provider == "" and not self._is_xai:  # not known; the status tells whose it is
            begun = self.last_status.startswith("response.") and self.last_status not in _COMPLETED
            return (begun and not self.response_id) or self.last_status in {"message_start", "message_delta"}
        return False

    def _read_delta(self, text: str) -> str:
        if not text:
            return ""
        has_note = self.may_have_note and _NOTE.search(text) is not None
        text, self._held = (self._held, text) if has_note else (self._held + text, "")
        if text:
            self.has_text = True
            self.pieces += 1
        return text

    def _read_note(self) -> str:
        """What was held, at the reply's end: without the note, which is a warning to the client."""
        text = self.release()
        if note := _NOTE.search(text):
            self.warning += note[0]
            self._is_limited = self._is_limited or is_length_limit(note[0])
            text = text[: note.start()] + text[note.end() :]
            self.has_text = self.has_text or bool(text)
        return text

    def _read_status(self, status: dict[str, Any]) -> None:
        self.last_status = text_at(status, "type")
        reason = text_at(status, "stop_reason")
        self._is_limited = self._is_limited or reason in _STOPPED_BY_LIMIT
        if reason == "refusal":  # Claude's filter ended the answer, of which no warning tells
            self.warning = self.warning or reason
        self._is_xai = self._is_xai or bool(_XAI_ID.fullmatch(text_at(status, "response_id")))

    def _read_warning(self, warning: str) -> str:
        text, reasons = read_warning(warning)
        self.warning = self.warning.removesuffix("warning") + reasons or "warning"
        # Of Claude the plugin warns of nothing else, in whatever language.
        self._is_limited = self._is_limited or self._provider == "Claude" or is_length_limit(warning)
        if text := text if text.strip() else "":
            self.has_text = True
        return text

    def _read_citations(self, citations: object) -> None:
        if isinstance(citations, list) and citations:
            self.citations = [citation for citation in citations if isinstance(citation, dict)]

    def _read_grounding(self, chunks: object) -> None:
        """Google's own form, which is all that plugins before 2.3.93 tell of its sources."""
        pages = [chunk.get("web") for chunk in chunks if isinstance(chunk, dict)] if isinstance(chunks, list) else []
        found = [page for page in pages if isinstance(page, dict)]
        self._pages = [{"url": text_at(page, "uri"), "title": text_at(page, "title")} for page in found] or self._pages

    def _read_error(self, data: str) -> None:
        error = read_object(data)
        raise from_stream_error(
            text_at(error, "error") or data,
            quota=bool(error.get("quota_notice")),
            started=self.started,
            check=bool(error.get("ts_required")),
        )


class OldBots:
    """Which bots end their replies with a response id and tell no status: OpenAI's, under plugins before 2.3.69
    (PROTOCOL 13). Without the id, a reply of theirs was cut politely.

    A bot may be set up anew, in a way that knows no ids: after several whole-looking replies without, it needs none.
    """

    def __init__(self) -> None:
        self._lacking: dict[int, int] = {}  # replies without an id since the last one with it

    def needs_id(self, bot_id: int) -> bool:
        """Whether a whole reply of this bot has an id."""
        return bot_id in self._lacking

    def learn(self, bot_id: int, reader: ReplyReader) -> None:
        """Learn from a reply that was read to its end mark."""
        if reader.last_status:
            self._lacking.pop(bot_id, None)
        elif reader.response_id:
            self._lacking[bot_id] = 0
        elif bot_id in self._lacking and reader.finished and reader.has_text:
            self._lacking[bot_id] += 1
            if self._lacking[bot_id] >= MAX_LACKING:
                del self._lacking[bot_id]


def sources(citations: Sequence[dict[str, Any]]) -> tuple[Citation, ...]:
    """The pages that the site cites; those without an address are left out."""
    return tuple(
        Citation(
            text_at(citation, "url"),
            text_at(citation, "title") or text_at(citation, "source_title"),
            _index(citation.get("start_char_index")),
            _index(citation.get("end_char_index")),
        )
        for citation in citations
        if text_at(citation, "url")
    )


def _index(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def read_warning(warning: str) -> tuple[str, str]:
    """The answer's text in a warning, and the reasons behind that. Where no reason is recognised (a site in another
    language), all of it is text, as in the plugin's own window."""
    found = _REASONS.search(warning)
    return (warning[: found.start()], found[1]) if found else (warning, "")


def refusal_in(reasons: str) -> str | None:
    """What the model said instead of an answer; None where it did not refuse."""
    pieces: list[str] = _REFUSED.findall(reasons)
    return "".join(pieces) if pieces else None


def is_length_limit(reasons: str) -> bool:
    """Whether the answer was cut because it became too long."""
    return any(limit in reasons for limit in _LIMITS)
