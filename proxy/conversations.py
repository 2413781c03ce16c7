"""Stored conversations, and what a client is told when the store cannot be used."""

import secrets
from time import time

from proxy.protocol.errors import ServiceError
from shared.conversations import Conversation, Message
from shared.store import Store, StoreUnavailable

STORE_RETRY_SECONDS = 5.0


class Conversations:
    """The conversations that clients make, name and delete. All methods raise `ServiceError`: 404 and 503."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, metadata: dict[str, str], messages: tuple[Message, ...]) -> Conversation:
        """A new conversation that holds *messages*."""
        now = time()
        conversation = Conversation(
            id=f"conv_{secrets.token_hex(24)}", created_at=now, updated_at=now, metadata=metadata, messages=messages
        )
        with store_needed():
            await self._store.create_conversation(conversation)
        return conversation

    async def find(self, conversation_id: str) -> Conversation:
        """The conversation with all its messages."""
        with store_needed():
            stored = await self._store.conversation(conversation_id)
        if stored is None:
            raise unknown_conversation(conversation_id)
        return stored

    async def update(self, conversation_id: str, metadata: dict[str, str]) -> Conversation:
        """The conversation with *metadata* in place of what it had."""
        with store_needed():
            await self._store.update_metadata(conversation_id, metadata, at=time())
        return await self.find(conversation_id)

    async def delete(self, conversation_id: str) -> None:
        """Forget the conversation."""
        with store_needed():
            found = await self._store.delete_conversation(conversation_id)
        if not found:
            raise unknown_conversation(conversation_id)


def unknown_conversation(conversation_id: str) -> ServiceError:
    """The error for an id that names no stored conversation."""
    return ServiceError(
        404,
        f"No conversation '{conversation_id}' is stored here.",
        code="conversation_not_found",
        param="conversation_id",
    )


class store_needed:  # noqa: N801  (reads as a word in a with statement)
    """What needs stored state cannot go on without the store: 503, and the client may try again."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, StoreUnavailable):
            raise ServiceError(
                503,
                f"The store cannot be used just now: {error}",
                type="server_error",
                code="store_unavailable",
                retry_after=STORE_RETRY_SECONDS,
            ) from error
