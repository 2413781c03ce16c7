"""What a store's URL says without opening it."""

from pathlib import Path
from urllib.parse import urlsplit

from shared.store import is_redis
from shared.store.redis import schema as redis_schema
from shared.store.sqlite import schema as sqlite_schema


def shown(url: str) -> str:
    """The URL as it may be shown: without user, password and options, which may hold a password too."""
    if not is_redis(url):
        return url
    parts = urlsplit(url)
    who, _, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***@' if who else ''}{host}{parts.path}"


def schema_known(url: str) -> int:
    """The schema that this version reads and writes in such a store."""
    return redis_schema.VERSION if is_redis(url) else len(sqlite_schema.MIGRATIONS)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite store; None for other stores."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
