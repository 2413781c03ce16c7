"""Looking up what was used: what the command line and the administrator's HTTP API both do."""

from typing import Any

from shared.store import Store
from shared.usage import summary
from shared.wire import Span


async def rows(store: Store, span: Span) -> list[dict[str, Any]]:
    """The rows that *span* asks for, with the names of keys in place of their ids. Raises StoreError."""
    names = {key.id: key.name for key in await store.keys()}
    return summary(await store.usage(since=span.since, until=span.until), span.by, names)
