"""Stored conversations, and retries and errors while the store is unavailable."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from secrets import token_hex
from time import time
from typing import TypeVar
from weakref import WeakValueDictionary

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from proxy.chat.errors import ServiceError, bad_request
from shared.conversations import MAX_CHARACTERS, MAX_MESSAGES, Conversation, Message, fits_limits, is_visible_to
from shared.store import Store, StoreError, StoreUnavailable

PATIENCE_SECONDS = 5.0
RETRY_PAUSE = 0.25
STORE_RETRY_SECONDS = 5.0

T = TypeVar("T")


class Conversations:
    """Creates, reads, changes and deletes stored conversations. All methods raise `ServiceError`: 400, 404 and 503.

    *owner*: id of the key that asks; conversations of other keys do not exist for it. "" sees all.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._adding: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # to a conversation, by its id

    async def create(self, metadata: dict[str, str], messages: tuple[Message, ...], *, owner: str) -> Conversation:
        """Create a conversation that holds *messages*."""
        check_capacity(messages)
        now = time()
        conversation = Conversation(
            id=f"conv_{token_hex(24)}",
            owner=owner,
            created_at=now,
            updated_at=now,
            metadata=metadata,
            messages=with_ids(messages),
        )
        await call_store(lambda: self._store.create_conversation(conversation))
        return conversation

    async def find(self, conversation_id: str, *, owner: str) -> Conversation:
        """Return the conversation with all its messages."""
        stored = await call_store(lambda: self._store.conversation(conversation_id))
        # A stored response is no conversation that can go on.
        if stored is None or stored.response or not is_visible_to(stored, owner):
            raise unknown_conversation(conversation_id)
        return stored

    async def update(self, conversation_id: str, metadata: dict[str, str], *, owner: str) -> Conversation:
        """Replace the metadata of the conversation, and return it."""
        await self.find(conversation_id, owner=owner)
        await call_store(lambda: self._store.update_metadata(conversation_id, metadata, at=time()))
        return await self.find(conversation_id, owner=owner)

    async def delete(self, conversation_id: str, *, owner: str) -> None:
        """Delete the conversation."""
        await self.find(conversation_id, owner=owner)
        await call_store(lambda: self._store.delete_conversation(conversation_id))

    async def add(self, conversation_id: str, messages: Sequence[Message], *, owner: str) -> tuple[Message, ...]:
        """Append *messages*; returns them with their ids. What comes at the same time finds them there."""
        async with self._adding.setdefault(conversation_id, asyncio.Lock()):
            stored = await self.find(conversation_id, owner=owner)
            check_capacity((*stored.messages, *messages))
            return await self.append(conversation_id, messages)

    async def append(self, conversation_id: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        """As `add`, for a conversation that was found before and has room for them."""
        added = with_ids(messages)
        found = await call_store(lambda: self._store.add_messages(conversation_id, added, at=time()))
        if not found:
            raise unknown_conversation(conversation_id)
        return added

    async def item(self, conversation_id: str, item_id: str, *, owner: str) -> Message:
        """Return one message of the conversation."""
        for message in (await self.find(conversation_id, owner=owner)).messages:
            if message.id == item_id:
                return message
        raise unknown_item(item_id)

    async def delete_item(self, conversation_id: str, item_id: str, *, owner: str) -> Conversation:
        """Delete one message; returns the conversation without it."""
        await self.find(conversation_id, owner=owner)
        found = await call_store(lambda: self._store.delete_message(conversation_id, item_id, at=time()))
        if not found:
            raise unknown_item(item_id)
        return await self.find(conversation_id, owner=owner)


def new_item_id() -> str:
    """Return a new message id."""
    return f"msg_{token_hex(24)}"


def with_ids(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same messages, each with an id."""
    return tuple(message if message.id else replace(message, id=new_item_id()) for message in messages)


def check_capacity(messages: Sequence[Message], *, answers: int = 0) -> None:
    """Raise `ServiceError` (400) unless one conversation can hold *messages* and *answers* further messages."""
    if not fits_limits(messages, answers=answers):
        raise bad_request(
            f"A conversation holds at most {MAX_MESSAGES} messages and {MAX_CHARACTERS} characters; begin a new one.",
            param="conversation",
            code="conversation_full",
        )


def unknown_conversation(conversation_id: str) -> ServiceError:
    """The error for an id that names no stored conversation."""
    return ServiceError(
        404,
        f"No conversation '{conversation_id}' is stored here.",
        code="conversation_not_found",
        param="conversation_id",
    )


async def call_store(call: Callable[[], Awaitable[T]]) -> T:
    """Return the result of the store call *call*, retried for `PATIENCE_SECONDS` while the store is unavailable.

    Raises `ServiceError` (503), which the client may retry.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS + RETRY_PAUSE):  # the last attempt may hang
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(StoreUnavailable),
                stop=stop_after_delay(PATIENCE_SECONDS),
                wait=wait_fixed(RETRY_PAUSE),
                reraise=True,
            ):
                with attempt:
                    return await call()
    except (StoreError, TimeoutError) as error:
        raise ServiceError(
            503,
            f"The store cannot be used just now: {str(error) or 'it does not answer in time'}",
            type="server_error",
            code="store_unavailable",
            retry_after=STORE_RETRY_SECONDS,
        ) from error
    raise AssertionError("unreachable: the last attempt raises")


def unknown_item(item_id: str, *, param: str = "item_id") -> ServiceError:
    """The error for an id that names no item here."""
    return ServiceError(404, f"No item '{item_id}' is stored here.", code="item_not_found", param=param)
