"""OpenAI's Responses API on top of chats: each response is a chat whose history this side keeps.

What a response continues is put in front of its input, and the chat finds the site's copy of exactly that history by
itself. A stored response is a copy of the text up to its answer, so whatever goes on from it finds it unchanged.
"""

import logging
from time import time
from typing import Any

import orjson

from proxy.answer import Answer
from proxy.chat import ChatService
from proxy.conversations import Conversations, named, needed
from proxy.protocol.errors import ServiceError
from proxy.protocol.responses_reply import ResponseReply
from proxy.protocol.responses_request import ResponseRequest
from shared.conversations import Conversation, Message
from shared.store import Store, StoreUnavailable

log = logging.getLogger(__name__)


class Responses:
    """Makes responses, and keeps those that are to be kept. All methods raise `ServiceError`."""

    def __init__(self, store: Store, chats: ChatService, conversations: Conversations) -> None:
        self._store = store
        self._chats = chats
        self._conversations = conversations

    async def create(self, request: ResponseRequest) -> tuple[Answer, ResponseReply]:
        """The answer to *request*, not begun yet, and what builds its objects."""
        history = await self._history(request)

        async def keep(answer: Answer) -> None:
            await self._keep(request, history, answer, reply)

        answer = await self._chats.answer(request.as_chat(history), afterwards=keep)
        reply = ResponseReply(
            request,
            id=answer.id.replace("chatcmpl-", "resp_"),
            message_id=answer.message_id,
            created=answer.created,
            model=answer.model,
        )
        return answer, reply

    async def find(self, response_id: str) -> dict[str, Any]:
        """The stored response object."""
        found: dict[str, Any] = orjson.loads((await self._stored(response_id)).response)
        return found

    async def input_items(self, response_id: str) -> tuple[Message, ...]:
        """All that the response answers to, oldest first."""
        return (await self._stored(response_id)).messages[:-1]

    async def delete(self, response_id: str) -> None:
        """Forget the response; those that continue it stay."""
        await self._stored(response_id)
        await needed(lambda: self._store.delete_conversation(response_id))

    async def _history(self, request: ResponseRequest) -> tuple[Message, ...]:
        if request.conversation_id is not None:
            return (await self._conversations.find(request.conversation_id)).messages
        if request.previous_response_id is None:
            return ()
        try:
            return (await self._stored(request.previous_response_id)).messages
        except ServiceError as error:
            if error.status == 404:
                error.code, error.param = "previous_response_not_found", "previous_response_id"
            raise

    async def _stored(self, response_id: str) -> Conversation:
        stored = await needed(lambda: self._store.conversation(response_id))
        if stored is None or not stored.response:
            raise ServiceError(
                404,
                f"No response '{response_id}' is stored here.",
                code="response_not_found",
                param="response_id",
            )
        return stored

    async def _keep(
        self, request: ResponseRequest, history: tuple[Message, ...], answer: Answer, reply: ResponseReply
    ) -> None:
        """Store the whole answer before its end is told, so that it can be continued at once."""
        now = time()
        reply.completed_at = int(now)
        added = (*named(request.input), answer.message)
        if request.conversation_id is not None:
            added = await self._conversations.add(request.conversation_id, added)
        if not request.store:
            return
        whole = reply.whole([answer.message.text], answer.ending, answer.usage)
        stored = Conversation(
            id=whole["id"],
            created_at=float(answer.created),
            updated_at=now,
            messages=(*named(history), *added),
            response=orjson.dumps(whole).decode(),
        )
        try:
            await self._store.create_conversation(stored)
        except StoreUnavailable as error:
            log.warning("response %s not stored: %s", stored.id, error)
            reply.is_stored = False
