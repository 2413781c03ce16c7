"""How each provider's stream looks around the text (PROTOCOL 5): what comes before the pieces, and what after them."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.site.behaviour import Behaviour
from tests.site.bots import SiteBot
from tests.site.wire import delta, event

GROUNDING = {"searchEntryPoint": {"renderedContent": "<div>suggestions</div>"}}
PAGES = [{"web": {"uri": "https://example.invalid/a", "title": "Example A"}}]  # before 2.3.93 in no other event
DONE = {"finished": True}
MAX_TOKENS = " (Note: MAX_TOKENS)"


def _hex_id(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


@dataclass
class Dialect:
    """One turn's events besides its text, as chat-completions upstreams send them (DeepSeek, OpenAI's older API).

    Each item of an iterator is one HTTP chunk.
    """

    bot: SiteBot
    web_search: bool
    plugin: Behaviour = field(default_factory=Behaviour)
    response_id: str = field(default_factory=lambda: _hex_id("resp_"))
    item_id: str = field(default_factory=lambda: _hex_id("msg_"))

    def opening(self) -> Iterator[bytes]:
        """What comes before the text."""
        if self.bot.provider != "OpenAI":
            yield delta("")

    def closing(self, text: str) -> Iterator[bytes]:
        """What comes after the text, without `done`."""
        if self.web_search:
            yield self._citations(text)

    def at_once(self, text: str) -> bytes:
        """All that comes before `done` where one read brought the whole answer: one event of each kind, text last."""
        found = b"".join(self.final_id()) + (self._citations(text) if self.web_search else b"")
        return found + self._last_status() + delta(text)

    def final_id(self) -> Iterator[bytes]:
        """The id a client may send back."""
        yield from ()

    def note(self, words: str) -> str | None:
        """The last *words* of an answer that reached its limit, with what the plugin puts into them to say so; None
        where it sends a warning."""
        return None

    def done(self, text: str) -> bytes:
        """The last event."""
        has_sources = self.web_search and self.plugin.is_since("2.3.93")
        return event("done", DONE | ({"citations": citations(text)} if has_sources else {}))

    @property
    def details(self) -> dict[str, Any]:
        """What the log keeps of this provider's ids."""
        return {}

    def _status(self, kind: str, **more: Any) -> bytes:
        return event("status", {"type": kind, **more}) if self.plugin.is_since("2.3.69") else b""

    def _last_status(self) -> bytes:
        return b""

    def _citations(self, text: str) -> bytes:
        return event("citations", citations(text)) if self.plugin.is_since("2.3.93") else b""

    def _response_status(self, stage: str) -> bytes:
        return self._status(f"response.{stage}", status=stage_status(stage), response_id=self.response_id)

    def _searching(self) -> bytes:
        item = {"item_id": _hex_id("ws_"), "output_index": 0}
        stages = ("in_progress", "searching", "completed")
        return b"".join(self._status(f"response.web_search_call.{stage}", **item) for stage in stages)


class OpenAIResponses(Dialect):
    """Provider OpenAI in Responses mode."""

    def opening(self) -> Iterator[bytes]:
        yield self._response_status("created") + self._response_status("in_progress")
        if self.web_search:
            yield self._searching()

    def closing(self, text: str) -> Iterator[bytes]:
        if self.web_search:
            yield event("citations", citations(text))
            yield event("citations", citations(text))
        yield from self.final_id()
        if self.web_search:
            yield self._citations(text)

    def final_id(self) -> Iterator[bytes]:
        yield event("openai_response_id", {"id": self.response_id})

    def _last_status(self) -> bytes:
        return self._response_status("in_progress")

    @property
    def details(self) -> dict[str, Any]:
        return {"openai_response_id": self.response_id}


class OpenRouter(Dialect):
    """OpenRouter's Responses stream: more statuses, and no id for the client."""

    def opening(self) -> Iterator[bytes]:
        yield self._response_status("created") + self._response_status("in_progress")
        if self.web_search:
            yield self._searching()
        item = {"output_index": 0, "item_id": self.item_id, "item_type": "message", "item_status": "in_progress"}
        yield self._status("response.output_item.added", **item)
        yield self._status("response.content_part.added", item_id=self.item_id, output_index=0)

    def closing(self, text: str) -> Iterator[bytes]:
        yield from super().closing(text)
        for kind in ("response.output_text.done", "response.content_part.done"):
            yield self._status(kind, item_id=self.item_id, output_index=0)
        item = {"output_index": 0, "item_id": self.item_id, "item_type": "message", "item_status": "completed"}
        yield self._status("response.output_item.done", **item)
        yield self._last_status()

    def _last_status(self) -> bytes:
        return self._response_status("completed")


class XAI(Dialect):
    """xAI's Responses stream: ids of another form, no status at its end and no id for the client."""

    def opening(self) -> Iterator[bytes]:
        yield self._response_status("created") + self._response_status("in_progress")
        if self.web_search:
            yield self._searching()
        yield from super().opening()

    def _last_status(self) -> bytes:
        return self._response_status("in_progress")


class Google(Dialect):
    """Gemini: with the state on, the interaction id comes first and last. Before 2.4.67 the plugin adds to the text why
    it stopped; since then it tells nothing of that."""

    def note(self, words: str) -> str | None:
        if self.plugin.is_since("2.4.67"):
            return words
        return words + MAX_TOKENS if self.plugin.is_since("2.3.93") else MAX_TOKENS + words

    def opening(self) -> Iterator[bytes]:
        yield from self.final_id()
        if self.web_search:
            yield self._status("google_search_call")
            yield event("grounding_metadata", self._grounding)

    def closing(self, text: str) -> Iterator[bytes]:
        yield from self.final_id()

    def final_id(self) -> Iterator[bytes]:
        if self.bot.conversation_state and self.plugin.is_since("2.4.67"):
            yield event("google_interaction_id", {"id": self.response_id})

    def done(self, text: str) -> bytes:
        return event("done", DONE | ({"grounding_metadata": self._grounding} if self.web_search else {}))

    @property
    def _grounding(self) -> dict[str, Any]:
        return GROUNDING | ({} if self.plugin.is_since("2.3.93") else {"groundingChunks": PAGES})

    @property
    def details(self) -> dict[str, Any]:
        return {"google_interaction_id": self.response_id} if self.bot.conversation_state else {}


class Claude(Dialect):
    """Claude: its first status names the real model, its last but one why it stopped."""

    stop_reason = "end_turn"

    def opening(self) -> Iterator[bytes]:
        yield self._status("message_start", message_id=self.item_id, model=self.bot.model)

    def closing(self, text: str) -> Iterator[bytes]:
        yield from super().closing(text)
        yield self._status("message_delta", stop_reason=self.stop_reason)
        yield self._last_status()

    def _last_status(self) -> bytes:
        return self._status("message_stop")


def dialect_of(bot: SiteBot, *, web_search: bool, plugin: Behaviour) -> Dialect:
    """The dialect that *bot*'s provider speaks under this version of the plugin, with fresh ids."""
    if bot.provider == "Google":
        return Google(bot, web_search, plugin, response_id="v1_" + secrets.token_urlsafe(16))
    if bot.provider == "xAI":
        return XAI(bot, web_search, plugin, response_id=str(uuid4()))
    kinds: dict[str, type[Dialect]] = {"OpenRouter": OpenRouter, "Claude": Claude}
    if bot.provider == "OpenAI" and not bot.chat_completions:
        kinds["OpenAI"] = OpenAIResponses
    return kinds.get(bot.provider, Dialect)(bot, web_search, plugin)


def stage_status(stage: str) -> str:
    """The `status` that goes with `response.<stage>`."""
    return "completed" if stage == "completed" else "in_progress"


def citations(text: str) -> list[dict[str, Any]]:
    """The two sources every search finds, placed on the first words of the answer."""
    return [
        _citation(text, "https://example.invalid/a?utm_source=openai", "Example A", 0, 10),
        _citation(text, "https://example.invalid/b", "例子 B", 11, 20),
    ]


def _citation(text: str, url: str, title: str, start: int, end: int) -> dict[str, Any]:
    return {
        "type": "char_location",
        "url": url,
        "title": title,
        "source_title": title,
        "start_char_index": start,
        "end_char_index": end,
        "cited_text": text[start:end],
    }
