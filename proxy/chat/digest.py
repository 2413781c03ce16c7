"""Recognising what a client that resends its whole history continues."""

import hashlib
from collections.abc import Sequence

from shared.conversations import Message


def history_digest(scope: Sequence[str], messages: Sequence[Message]) -> str:
    """A name for exactly this history within *scope*, in hexadecimal.

    Blanks around a text do not count: clients trim answers. Lengths are hashed too, so that no two histories can be
    spelled alike.
    """
    digest = hashlib.sha256()
    for part in (*scope, *(part for message in messages for part in _parts(message))):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _parts(message: Message) -> tuple[str, ...]:
    return message.role, message.text.strip(), str(len(message.images)), *message.images
