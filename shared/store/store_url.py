"""Facts about a store that follow from its URL."""

from pathlib import Path
from urllib.parse import urlsplit

from shared.store import is_redis
from shared.store.redis import schema as redis_schema
from shared.store.sqlite import schema as sqlite_schema


def redacted_url(url: str) -> str:
    """The URL without user, password and options, which may hold a password too."""
    if not is_redis(url):
        return url
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***@' if userinfo else ''}{host}{parts.path}"


def supported_schema(url: str) -> int:
    """The schema version that this program reads and writes in such a store."""
    return redis_schema.VERSION if is_redis(url) else len(sqlite_schema.MIGRATIONS)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite store; None for other stores."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
