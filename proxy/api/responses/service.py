"""OpenAI's Responses API on top of chats: each response is a chat whose history this side keeps.

What a response continues is put in front of its input, and the chat finds the site's copy of exactly that history by
itself. A stored response is a copy of the text up to its answer, so whatever goes on from it finds it unchanged.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import time

import orjson

from proxy.api.responses.compaction import user_items
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import ResponseRequest
from proxy.chat.answer import Answer
from proxy.chat.ask import Ask, file_texts, replace_media
from proxy.chat.conversations import Conversations, call_store, check_capacity, unknown_item, with_ids
from proxy.chat.errors import ServiceError
from proxy.chat.offload import offload
from proxy.chat.service import ChatService
from proxy.chat.tokens import count_request_tokens
from shared.conversations import Conversation, Message, is_visible_to
from shared.store import Store, StoreError

Messages = tuple[Message, ...]

log = logging.getLogger(__name__)


class Responses:
    """Makes responses, and stores those that are to be stored. All methods raise `ServiceError`.

    *owner*: as `Conversations` has it.
    """

    def __init__(self, store: Store, chats: ChatService, conversations: Conversations) -> None:
        self._store = store
        self._chats = chats
        self._conversations = conversations

    async def create(
        self, request: ResponseRequest, *, owner: str, replies: type[ResponseReply]
    ) -> tuple[Answer, ResponseReply]:
        """The answer to *request*, not begun yet, and the one of *replies* that builds its objects."""
        ask, history, new = await self._whole(request, owner)
        parts = ask.parts
        words = await offload(sum(part.size for part in parts.values()), lambda: file_texts(parts)) if parts else {}
        new_without_files = tuple(replace_media(message, words) for message in new)  # files are not stored
        if request.user_items is not None:
            request.user_items = [*user_items(history), *request.user_items]
        if request.store or request.conversation_id is not None:
            check_capacity((*history, *new_without_files), answers=1)

        async def keep(answer: Answer) -> None:
            await self._keep(request, history, new_without_files, answer, reply, owner=owner)

        answer = await self._chats.answer(ask, owner=owner, on_complete=keep)
        reply = replies(
            request,
            id=_response_of(answer.message_id),
            message_id=answer.message_id,
            created=answer.created,
            model=answer.model,
        )
        return answer, reply

    async def count_tokens(self, request: ResponseRequest, *, owner: str) -> int:
        """About as many tokens as all that *request* tells a model."""
        ask, _, _ = await self._whole(request, owner)
        return await asyncio.to_thread(count_request_tokens, ask)

    async def find(self, response_id: str, *, owner: str) -> str:
        """The stored response object, as JSON."""
        return (await self._stored(response_id, owner)).response

    async def input_items(self, response_id: str, *, owner: str) -> Messages:
        """All that the response answers to, oldest first."""
        return (await self._stored(response_id, owner)).messages[:-1]

    async def delete(self, response_id: str, *, owner: str) -> None:
        """Forget the response; those that continue it stay."""
        await self._stored(response_id, owner)
        await call_store(lambda: self._store.delete_conversation(response_id))

    async def _whole(self, request: ResponseRequest, owner: str) -> tuple[Ask, Messages, Messages]:
        """All that *request* asks: what it continues, and its own messages with those that it names."""
        history = await self._history(request, owner)
        new = await self._with_texts(request.ask.messages, owner)
        return request.to_ask(history, new), history, new

    async def _history(self, request: ResponseRequest, owner: str) -> Messages:
        if request.conversation_id is not None:
            return (await self._conversations.find(request.conversation_id, owner=owner)).messages
        if request.previous_response_id is None:
            return ()
        try:
            return (await self._stored(request.previous_response_id, owner)).messages
        except ServiceError as error:
            if error.status == 404:
                error.code, error.param = "previous_response_not_found", "previous_response_id"
            raise

    async def _with_texts(self, messages: Messages, owner: str) -> Messages:
        """The same messages; earlier answers that are only named get their texts.

        The newest is looked up first: what its response continued holds the others, as a rule.
        """
        known: dict[str, Message] = {}
        newest_first = [message for message in reversed(messages) if message.id]
        for each in newest_first:
            if each.id in known:
                continue
            stored = await self._find_visible(_response_of(each.id), owner)
            known |= {message.id: message for message in stored.messages} if stored else {}
            if each.id not in known:
                raise unknown_item(each.text, param="input")
        return tuple(_told_once(messages, {each.id: known[each.id] for each in newest_first}))

    async def _stored(self, response_id: str, owner: str) -> Conversation:
        stored = await self._find_visible(response_id, owner)
        if stored is None or not stored.response:
            raise ServiceError(
                404,
                f"No response '{response_id}' is stored here.",
                code="response_not_found",
                param="response_id",
            )
        return stored

    async def _find_visible(self, response_id: str, owner: str) -> Conversation | None:
        stored = await call_store(lambda: self._store.conversation(response_id))
        return stored if stored is not None and is_visible_to(stored, owner) else None

    async def _keep(
        self,
        request: ResponseRequest,
        history: Messages,
        new: Messages,
        answer: Answer,
        reply: ResponseReply,
        *,
        owner: str,
    ) -> None:
        """Store the whole answer before its end is told, so that it can be continued at once."""
        now = time()
        reply.completed_at = int(now)
        added = (*with_ids(new), answer.end.kept(answer.message))
        if request.conversation_id is not None:
            added = await self._conversations.append(request.conversation_id, added)
        if not request.store:
            return
        whole = reply.stored(answer.message, answer.end, answer.usage)
        stored = Conversation(
            id=whole["id"],
            owner=owner,
            created_at=float(answer.created),
            updated_at=now,
            messages=(*with_ids(history), *added),
            response=orjson.dumps(whole).decode(),
        )
        try:
            await self._store.create_conversation(stored)
        except StoreError as error:
            log.warning("response %s not stored: %s", stored.id, error)
            reply.is_stored = False


def _told_once(messages: Sequence[Message], known: Mapping[str, Message]) -> Iterator[Message]:
    """*messages* with those that are only named as they are *known*. Some clients name an answer, or what was thought
    before it, and send its calls again: these are part of it already."""
    held: set[str] = set()  # calls of the answer that was named last which may come again
    for message in messages:
        if message.id in known:
            held = {call.id for call in known[message.id].calls}
            yield known[message.id]
        elif message.calls and held:
            rest = tuple(call for call in message.calls if call.id not in held)
            held -= {call.id for call in message.calls}
            if rest or message.text:
                yield replace(message, calls=rest)
        else:
            yield message


def _response_of(item_id: str) -> str:
    """The id of the response whose answer is the item *item_id*, so that the one leads to the other."""
    return item_id.replace("msg_", "resp_", 1)
