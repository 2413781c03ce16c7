"""Compaction: the model sums up a long conversation, and the client continues from the summary.

It is an ordinary turn whose last message asks for the summary. Clients hand it back unread, as an item whose
`encrypted_content` only this side reads (see `read_items`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from proxy.api.conversations.items import items_of
from proxy.api.opaque import encode_summary
from proxy.api.responses.input_items import SUMMARY
from proxy.api.responses.objects import usage
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import ResponseRequest, parse_response
from proxy.api.tools import ToolsMode, text_or_empty, unsupported
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras
from proxy.chat.nesting import is_too_deep
from proxy.chat.tokens import Usage
from proxy.chat.tools.definitions import ToolChoice
from proxy.chat.upstream import End
from shared.conversations import Message, ToolCall

_INSTRUCTION = (
    "Do not go on with the task now. Sum up the conversation so far for another model that goes on with it and sees "
    "nothing else of it but what the user said: what is wanted, what is done, what was decided and why, what is still "
    "open, and what comes next. Keep the exact names of files, functions and commands, values and error messages that "
    "are needed again. Answer with the summary alone, in plain text."
)


def is_asked_within(body: Mapping[str, Any]) -> bool:
    """Whether the last item of a response's input asks for a summary in place of an answer."""
    items: Any = body.get("input")
    last = items[-1] if isinstance(items, list) and items else None
    return isinstance(last, dict) and last.get("type") == "compaction_trigger"


def parse_compaction(body: Mapping[str, Any], tools: ToolsMode) -> ResponseRequest:
    """The turn that gives the summary that *body* asks for, of `POST /v1/responses/compact` or of `/v1/responses`.

    Nothing of it is stored: what was said stays as it is. Raises `ServiceError` (400).
    """
    items: Any = body.get("input")
    if is_asked_within(body):
        items = items[:-1]
    request = parse_response({**body, "input": items}, tools)
    if request.conversation_id is not None:
        raise unsupported("conversation", "Its items stay as they are.")
    sent = [{"role": "user", "content": items}] if isinstance(items, str) else items or []
    ask, offer = request.ask, request.ask.tool_config
    request.ask = replace(
        ask,
        messages=(*ask.messages, Message(role="user", text=_INSTRUCTION)),
        tool_config=replace(offer, choice=ToolChoice("none"), output_format=None) if offer and offer.tools else None,
        web_search=False,
        max_tokens=None,
    )
    request.user_items = tuple(filter(None, map(_user_item, sent)))
    request.store = False
    return request


def _user_item(item: Any) -> dict[str, Any] | None:
    """A message of the user as it was sent; None for any other item."""
    if not isinstance(item, dict) or item.get("type") not in (None, "message") or item.get("role") != "user":
        return None
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "input_text", "text": content}]
    if not isinstance(content, list) or is_too_deep(content):
        return None
    fields = {"type": "message", "status": "completed", "role": "user", "content": content}
    return {"id": text_or_empty(item.get("id")) or f"msg_{token_hex(24)}", **fields}


def user_items(history: Sequence[Message]) -> list[dict[str, Any]]:
    """The user's messages, as items."""
    typed = (each for each in history if each.role == "user" and each.result is None)
    return [item for each in typed if not each.text.startswith(SUMMARY) for item in items_of(each)]


class CompactionReply(ResponseReply):
    """Builds the response whose only item is the summary."""

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """What makes an event of a piece of the summary, which is told at its end alone."""
        return self._piece

    def call(self, _: int, __: ToolCall) -> bytes:
        """Calls are no part of a summary."""
        return b""

    def text_with_extras(self, _: int, extras: Extras) -> bytes:
        """Nor are thoughts."""
        return self._piece(extras.text)

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The events that end a whole summary. Raises `ServiceError` where there is none."""
        item = self._summary("".join(self._texts), ends[0])
        last = self._end_item(item)
        return last + self._event("response.completed", response=self._whole([item], End(), used))

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The finished response object. Raises `ServiceError` where there is no summary."""
        return self._whole([self._summary(answers[0].text, ends[0])], End(), used)

    def _piece(self, text: str) -> bytes:
        item = self._item("")
        begun = b"" if self._texts else self._begin_item(item)
        self._texts.append(text)
        return begun + self._event("response.compaction.compacting", output_index=0, item_id=item["id"])

    def _summary(self, text: str, end: End) -> dict[str, Any]:
        """The item. A summary that was cut is one still: without any the conversation could not go on."""
        if not text.strip() or end.refusal is not None or end.reason == "content_filter":
            raise ServiceError(
                502, "The site failed to answer: it gave no summary.", type="server_error", code="upstream_error"
            )
        return self._item(encode_summary(text))

    def _item(self, content: str) -> dict[str, Any]:
        return {"id": f"cmp_{self._message_id[4:]}", "type": "compaction", "encrypted_content": content}


class CompactedReply(CompactionReply):
    """Builds what takes the place of the conversation: what the user said, and the summary."""

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The object. Raises `ServiceError` where there is no summary."""
        return {
            "id": self._base["id"],
            "object": "response.compaction",
            "created_at": self._base["created_at"],
            "output": [*self._user_items, self._summary(answers[0].text, ends[0])],
            "usage": usage(used),
        }
