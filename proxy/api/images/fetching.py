"""Fetching the pictures that a request names by address, so that they are as good as pictures sent in it.

Clients resend their history, addresses included, with every turn; memory works by what the pictures are. So:

- What this turn brings is fetched now, whatever was seen at the address before. If that fails, so does the request,
  but for what tools gave.
- A picture of an earlier turn is what its address gave lately, from the cache; only otherwise it is fetched again. An
  address that is gone meanwhile does not end an old conversation: the picture is left out, as are all pictures of
  earlier turns that came with a `conversation_id` (they are not stored), and the address stands for it in the history.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic

from proxy.api.images.download import Downloader, DownloadFailed, DownloadTooLarge
from proxy.api.images.reading import (
    Fetched,
    ImageAddress,
    Picture,
    not_fetched,
    put_in,
    read_content,
    to_fetch,
    too_large,
)
from proxy.chat.ask import Media, media_of_last_turn
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.offload import offload
from shared.conversations import Message

MAX_FETCHES = 16  # for one request; of more, the newest
MAX_CACHED_CHARS = 64 * 1024 * 1024  # base64
MAX_CACHED_SECONDS = 3600.0

log = logging.getLogger(__name__)


class PictureFetcher:
    """Turns addresses in messages into pictures. Raises `ServiceError` (400) for what cannot be had."""

    def __init__(
        self, downloader: Downloader, hold: Callable[[int], None], clock: Callable[[], float] = monotonic
    ) -> None:
        """*hold* is called with the bytes that a request holds in addition, and may raise `ServiceError`."""
        self._downloader = downloader
        self._hold = hold
        self._cache = _Cache(clock)

    async def fetch(
        self, messages: Sequence[Message], pictures: Mapping[str, Picture]
    ) -> tuple[tuple[Message, ...], dict[str, Media]]:
        """The same messages and pictures, with what was fetched in place of its address."""
        if not pictures:
            return tuple(messages), {}
        pending, new = to_fetch(messages, pictures)
        fetched: dict[str, Fetched] = {}
        missing: list[ImageAddress] = []
        for address in pending:
            if address.name not in new and (found := self._cache.find(address.name)):
                fetched[address.name] = found
            else:
                missing.append(address)
        fetched |= await self._download_all(missing, required=media_of_last_turn(messages))
        self._hold(sum(_size(each) for each in fetched.values()))
        return put_in(messages, pictures, fetched)

    async def _download_all(self, missing: Sequence[ImageAddress], required: Collection[str]) -> dict[str, Fetched]:
        """The pictures by the names of their addresses. Raises `ServiceError` if one of those *required* fails."""
        if late := [address for address in missing[MAX_FETCHES:] if address.name in required]:
            raise bad_request(
                f"The last turn holds more than {MAX_FETCHES} images to fetch.",
                param=late[0].where,
                code="too_many_images",
            )
        fetched: dict[str, Fetched] = {}

        async def fetch_one(address: ImageAddress) -> None:
            try:
                fetched[address.name] = await self._download(address)
            except ServiceError as error:
                if address.name in required:
                    raise
                log.info("a picture that is not asked about is left out: %s", error)

        try:
            async with asyncio.TaskGroup() as group:
                for address in missing[:MAX_FETCHES]:
                    group.create_task(fetch_one(address))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return fetched

    async def _download(self, address: ImageAddress) -> Fetched:
        try:
            content = await self._downloader.get(address.url)
        except DownloadTooLarge as error:
            raise too_large(address.where) from error
        except DownloadFailed as error:
            raise not_fetched(address.where, str(error)) from error
        fetched = await offload(len(content), lambda: read_content(content, address.where))
        self._cache.keep(address.name, fetched)
        return fetched


class _Cache:
    """Recent downloads by address; the oldest are evicted when they become too large."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, Fetched]] = OrderedDict()
        self._chars = 0

    def find(self, name: str) -> Fetched | None:
        self._forget()
        return self._held[name][1] if name in self._held else None

    def keep(self, name: str, fetched: Fetched) -> None:
        if name in self._held:
            self._drop(name)
        self._held[name] = (self._clock(), fetched)
        self._chars += _size(fetched)
        self._forget()

    def _forget(self) -> None:
        while self._held:
            name, (at, _) = next(iter(self._held.items()))
            if self._chars <= MAX_CACHED_CHARS and self._clock() - at <= MAX_CACHED_SECONDS:
                return
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._chars -= _size(self._held.pop(name)[1])


def _size(fetched: Fetched) -> int:
    return len(fetched.image.base64)
