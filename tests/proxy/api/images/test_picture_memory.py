"""What is remembered of fetched pictures, and for how long."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

import proxy.api.images.fetching
from proxy.api.images.download import Downloader
from proxy.api.images.fetching import PictureFetcher
from proxy.api.images.reading import ImageAddress
from shared.conversations import Message
from tests.pictures import JPEG, PNG, PictureServer, picture_server, public_or_here


@pytest.fixture
async def pictures() -> AsyncIterator[PictureServer]:
    """A server of pictures."""
    async with picture_server() as running:
        yield running


def uncounted(_: int) -> None:
    """What is held counts where it is a request that holds it."""


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def turns(*urls: str) -> tuple[list[Message], dict[str, Any]]:
    """A conversation whose earlier turns hold the pictures at *urls*, one each."""
    named = [ImageAddress(url, "messages.0") for url in urls]
    messages = [Message(role=role, text="x", images=images) for address in named for role, images in _turn(address)]
    return [*messages, Message(role="user", text="y")], {address.name: address for address in named}


def _turn(address: ImageAddress) -> Any:
    return ("user", (address.name,)), ("assistant", ())


async def test_what_is_remembered_has_an_age_and_a_size(
    pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        proxy.api.images.fetching, "MAX_CACHED_CHARS", len(base64.b64encode(PNG)) + len(base64.b64encode(JPEG))
    )
    one, two, three = (pictures.url + path for path in ("/one.png", "/two.jpg", "/three.webp"))
    clock = Clock()
    async with Downloader(1024, allowed=public_or_here) as downloader:
        fetcher = PictureFetcher(downloader, uncounted, clock)
        for urls in ((one,), (two,), (one, two), (three,), (two,), (one,)):
            await fetcher.fetch(*turns(*urls))
        assert pictures.hits == {"/one.png": 2, "/two.jpg": 1, "/three.webp": 1}

        clock.now += proxy.api.images.fetching.MAX_CACHED_SECONDS + 1
        await fetcher.fetch(*turns(one))

    assert pictures.hits["/one.png"] == 3


async def test_a_picture_that_is_fetched_again_is_remembered_once(
    pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.api.images.fetching, "MAX_CACHED_CHARS", 2 * len(base64.b64encode(PNG)))
    url = f"{pictures.url}/one.png"
    messages, named = turns(url)
    async with Downloader(1024, allowed=public_or_here) as downloader:
        fetcher = PictureFetcher(downloader, uncounted)
        for _ in range(4):
            await fetcher.fetch(messages[:1], named)
        await fetcher.fetch(messages, named)

    assert pictures.hits["/one.png"] == 4


async def test_of_very_many_pictures_the_newest_are_fetched(pictures: PictureServer) -> None:
    pictures.bodies = {f"/{number}": PNG + str(number).encode() for number in range(40)}
    urls = [pictures.url + path for path in pictures.bodies]

    async with Downloader(1024, allowed=public_or_here) as downloader:
        fetcher = PictureFetcher(downloader, uncounted)
        messages, held = await fetcher.fetch(*turns(*urls))
        assert set(pictures.hits) == set(list(pictures.bodies)[-proxy.api.images.fetching.MAX_FETCHES :])
        assert len({name for message in messages for name in message.images}) == 40
        assert len(held) == proxy.api.images.fetching.MAX_FETCHES

        await fetcher.fetch(*turns(*urls))
        await fetcher.fetch(*turns(*urls))

    assert max(pictures.hits.values()) == 1
    assert len(pictures.hits) == 40
