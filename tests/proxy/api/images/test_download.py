"""Fetching from a real server on this machine."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator

import pytest

import proxy.api.images.download
from proxy.api.images.download import AddressInfo, Downloader, DownloadFailed, DownloadTooLarge
from shared.site_client.client import USER_AGENT
from tests.pictures import PNG, PictureServer, picture_server, public_or_here
from tests.proxy.api.images.name_server import answering

LIMIT = 1024 * 1024


@pytest.fixture
async def server() -> AsyncIterator[PictureServer]:
    """A server of pictures."""
    async with picture_server() as running:
        yield running


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    """One that may also fetch from 127.0.0.1."""
    async with Downloader(LIMIT, allowed=public_or_here, lookup=answering("127.0.0.1")) as opened:
        yield opened


async def test_the_body_comes_whole_and_as_it_is(server: PictureServer, downloader: Downloader) -> None:
    assert await downloader.get(f"{server.url}/one.png") == PNG
    assert await downloader.get(f"http://pictures.example:{server.port}/one.png#part") == PNG


async def test_a_request_names_the_proxy_and_nothing_about_the_user(
    server: PictureServer, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    for _ in range(2):
        await downloader.get(f"http://pictures.example:{server.port}/one.png?signature=a%2Fb")

    request = server.seen[1]
    assert request.raw_path == "/one.png?signature=a%2Fb"
    assert {name: request.headers[name] for name in request.headers} == {
        "Host": f"pictures.example:{server.port}",
        "User-Agent": USER_AGENT,
        "Accept": "image/png, image/jpeg, image/webp, image/gif",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(server: PictureServer, downloader: Downloader, status: int) -> None:
    assert await downloader.get(f"{server.url}/odd/to?status={status}&url=/one.png") == PNG
    assert await downloader.get(f"{server.url}/odd/to?url=http://other.example:{server.port}/one.png") == PNG


async def test_redirects_come_to_an_end(server: PictureServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadFailed, match="more than 3 times"):
        await downloader.get(f"{server.url}/odd/round")

    assert server.hits["/odd/round"] == 4


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:x@127.0.0.1/", "http://[", ""]
)
async def test_a_redirect_to_no_web_address_is_refused(
    server: PictureServer, downloader: Downloader, target: str
) -> None:
    path = f"/odd/to?url={target}" if target else "/odd/nowhere"

    with pytest.raises(DownloadFailed, match=r"redirects to an address|more than 3"):
        await downloader.get(server.url + path)


async def test_other_statuses_are_named(server: PictureServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadFailed, match="status 404"):
        await downloader.get(f"{server.url}/none.png")


async def test_an_announced_size_above_the_limit_is_refused_at_once(
    server: PictureServer, downloader: Downloader
) -> None:
    with pytest.raises(DownloadTooLarge):
        await downloader.get(f"{server.url}/odd/announced")

    assert await asyncio.wait_for(server.endings.get(), 5) == "/odd/announced"


async def test_an_endless_body_is_dropped_at_the_limit(server: PictureServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadTooLarge):
        await downloader.get(f"{server.url}/odd/endless")

    assert await asyncio.wait_for(server.endings.get(), 5) == "/odd/endless"
    assert server.sent_bytes < 20 * LIMIT  # what fits into the system's buffers comes on top


async def test_a_body_of_just_the_limit_is_taken(server: PictureServer, downloader: Downloader) -> None:
    server.bodies |= {"/most": b"x" * LIMIT, "/more": b"x" * (LIMIT + 1)}

    assert len(await downloader.get(f"{server.url}/most")) == LIMIT
    with pytest.raises(DownloadTooLarge):
        await downloader.get(f"{server.url}/more")


async def test_a_body_is_never_unpacked(server: PictureServer, downloader: Downloader) -> None:
    server.bodies["/squeezed"] = squeezed = gzip.compress(bytes(2 * LIMIT))

    assert await downloader.get(f"{server.url}/squeezed") == squeezed


@pytest.mark.parametrize("limit", ["TOTAL_SECONDS", "IDLE_SECONDS"])
async def test_a_slow_body_is_given_up(server: PictureServer, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(proxy.api.images.download, limit, 0.2)

    async with Downloader(LIMIT, allowed=public_or_here) as downloader:
        with pytest.raises(DownloadFailed, match="in time"):
            await asyncio.wait_for(downloader.get(f"{server.url}/odd/slow"), 5)

    assert await asyncio.wait_for(server.endings.get(), 5) == "/odd/slow"


async def test_a_body_that_breaks_off_is_nothing(server: PictureServer, downloader: Downloader) -> None:
    with pytest.raises(DownloadFailed):
        await downloader.get(f"{server.url}/odd/broken")


async def test_only_so_many_are_fetched_at_once(server: PictureServer, downloader: Downloader) -> None:
    fetches = [asyncio.create_task(downloader.get(f"{server.url}/odd/slow")) for _ in range(12)]
    async with asyncio.timeout(5), Downloader(1024, allowed=public_or_here) as later:
        while server.hits["/odd/slow"] < proxy.api.images.download.MAX_DOWNLOADS:
            await asyncio.sleep(0.005)
        for _ in range(5):  # by the time that these have come, those before them would have come too
            await later.get(f"{server.url}/one.png")
    for fetch in fetches:
        fetch.cancel()
    await asyncio.wait(fetches)

    assert server.hits["/odd/slow"] == proxy.api.images.download.MAX_DOWNLOADS


async def test_a_name_server_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.api.images.download, "TOTAL_SECONDS", 0.2)
    reading, writing = os.pipe()

    def hanging(_: str, __: int) -> list[AddressInfo]:
        os.read(reading, 1)
        raise OSError("too late")

    async with Downloader(LIMIT, lookup=hanging) as downloader:
        failures = await asyncio.gather(
            *(downloader.get(f"http://slow{number}.example/") for number in range(20)), return_exceptions=True
        )
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 1) == "free"
    os.close(writing)

    assert [type(failure) for failure in failures] == [DownloadFailed] * 20
