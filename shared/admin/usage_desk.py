"""Looking up what was used: what the command line and the administrator's HTTP API both do."""

from typing import Any

from shared.admin.usage import summary
from shared.admin.wire import Span
from shared.store import Store


async def rows(store: Store, span: Span) -> list[dict[str, Any]]:
    """The rows that *span* asks for, with the names of keys in place of their ids. Raises StoreError."""
    names = {key.id: key.name for key in await store.keys()}
    return summary(await store.usage(since=span.since, until=span.until), span.by, names)
