"""Reading usage from the store, for the command line and for the admin API."""

from typing import Any

from shared.admin.usage import summary
from shared.admin.wire import UsageQuery
from shared.store import Store


async def rows(store: Store, query: UsageQuery) -> list[dict[str, Any]]:
    """The usage rows of *query*, with the names of keys in place of their ids. Raises StoreError."""
    names = {key.id: key.name for key in await store.keys()}
    return summary(await store.usage(since=query.since, until=query.until), query.by, names)
