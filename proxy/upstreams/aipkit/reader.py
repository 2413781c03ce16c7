"""Following one reply of the site from its first event to its last (PROTOCOL 5 and 7)."""

from collections.abc import Sequence
from typing import Any

from proxy.chat.upstream import FinishReason, Source
from proxy.upstreams.aipkit.refusals import Kind, SiteRefusal, from_stream_error
from proxy.upstreams.aipkit.warnings import read_warning, refusal_in, tells_of_a_limit
from proxy.upstreams.event_decoder import ServerEvent
from shared.plugins.aipkit.answers import read_json, read_object, text_at

MAX_LACKING = 5  # replies without a response id, one after the other, that are taken for cut ones


class ReplyReader:
    """Takes the events of one reply and gives out its text; keeps everything else that is told on the way.

    An upstream failure raises `SiteRefusal`, so that it can never look like an answer.
    """

    def __init__(self, provider: str = "") -> None:
        self._provider = provider
        self._last_status = ""
        self._ids_seen = 0
        self.started = False  # the site has logged the user's message and calls the model
        self.finished = False
        self.has_text = False
        self.response_id = ""
        self.interaction_id = ""
        self.citations: list[dict[str, Any]] = []
        self.warning = ""  # the reasons of all warnings
        self.needs_id = False  # the bot is known to end each whole reply with a response id
        self._is_limited = False

    def read(self, event: ServerEvent) -> str:
        """The text that *event* adds; empty for all events that add none. Raises `SiteRefusal`."""
        if event.name == "message":
            return self._read_delta(event.data)
        if event.name == "status":
            self._read_status(event.data)
        elif event.name == "message_start":
            self.started = True
        elif event.name == "done":
            self._read_done(event.data)
        elif event.name == "error":
            self._read_error(event.data)
        elif event.name == "warning":
            return self._read_warning(text_at(read_object(event.data), "error"))
        elif event.name == "openai_response_id":
            self.response_id = text_at(read_object(event.data), "id")
        elif event.name == "google_interaction_id":
            self.interaction_id = text_at(read_object(event.data), "id")
            self._ids_seen += 1
        elif event.name == "citations":
            self._read_citations(read_json(event.data))
        return ""

    def end(self) -> None:
        """The body has ended. Raises `SiteRefusal` unless a whole reply was read."""
        if not self.finished:
            raise SiteRefusal(Kind.TRUNCATED, "the stream ended without its end mark", logged=True)
        if not self.has_text and not self.warning:
            raise SiteRefusal(Kind.EMPTY, "", logged=True)
        if not self.warning and (self._is_cut_short or (self.needs_id and not self.response_id)):
            raise SiteRefusal(Kind.TRUNCATED, "the model's part ended early", logged=True)

    @property
    def has_status(self) -> bool:
        """Whether the site told how the model's part went, as plugins since 2.3.69 do."""
        return bool(self._last_status)

    @property
    def finish_reason(self) -> FinishReason:
        """OpenAI's word for why the reply ended."""
        if not self.warning:
            return "stop"
        return "length" if self._is_limited else "content_filter"

    @property
    def refusal(self) -> str | None:
        """What the model said instead of an answer, where it refused."""
        return refusal_in(self.warning)

    @property
    def _is_cut_short(self) -> bool:
        """Some providers always close with a mark of their own; its absence shows a reply that was cut politely."""
        if self._provider == "OpenAI":
            return self._last_status.startswith("response.") and not self.response_id
        if self._provider == "Google":
            return self._ids_seen == 1
        if self._provider == "OpenRouter":
            return self._last_status.startswith("response.") and self._last_status != "response.completed"
        if self._provider == "Claude":
            return self._last_status not in {"", "message_stop"}
        if self._provider == "":  # not known; the status tells whose it is
            begun = self._last_status.startswith("response.") and self._last_status != "response.completed"
            return (begun and not self.response_id) or self._last_status in {"message_start", "message_delta"}
        return False

    def _read_delta(self, data: str) -> str:
        text = text_at(read_object(data), "delta")
        if text:
            self.has_text = True
        return text

    def _read_warning(self, told: str) -> str:
        text, reasons = read_warning(told)
        self.warning = self.warning.removesuffix("warning") + reasons or "warning"
        self._is_limited = self._is_limited or tells_of_a_limit(told)
        if text := text if text.strip() else "":
            self.has_text = True
        return text

    def _read_status(self, data: str) -> None:
        status = read_object(data)
        self._last_status = text_at(status, "type")
        self._is_limited = self._is_limited or text_at(status, "stop_reason") == "max_tokens"

    def _read_done(self, data: str) -> None:
        self.finished = True
        self._read_citations(read_object(data).get("citations"))

    def _read_citations(self, citations: object) -> None:
        if isinstance(citations, list) and citations:
            self.citations = [citation for citation in citations if isinstance(citation, dict)]

    def _read_error(self, data: str) -> None:
        error = read_object(data)
        raise from_stream_error(text_at(error, "error") or data, quota="quota_notice" in error, started=self.started)


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
        if reader.has_status:
            self._lacking.pop(bot_id, None)
        elif reader.response_id:
            self._lacking[bot_id] = 0
        elif bot_id in self._lacking and reader.finished and reader.has_text:
            self._lacking[bot_id] += 1
            if self._lacking[bot_id] >= MAX_LACKING:
                del self._lacking[bot_id]


def sources(citations: Sequence[dict[str, Any]]) -> tuple[Source, ...]:
    """The pages that the site cites; those without an address are left out."""
    return tuple(
        Source(
            text_at(citation, "url"),
            text_at(citation, "title") or text_at(citation, "source_title"),
            _index(citation.get("start_char_index")),
            _index(citation.get("end_char_index")),
        )
        for citation in citations
        if text_at(citation, "url")
    )


def _index(value: object) -> int:
    return value if type(value) is int and abs(value) < 2**53 else 0
