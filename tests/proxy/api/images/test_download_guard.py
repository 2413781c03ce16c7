"""Addresses that may not be fetched: by number, by name, by redirect, or by a name that changes."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import pytest

import proxy.api.images.download
from proxy.api.images.addresses import Address
from proxy.api.images.download import AddressInfo, Downloader, DownloadFailed
from tests.end_to_end.networks import command_in_fresh_namespaces
from tests.pictures import PNG, PictureServer, picture_server, public_or_here
from tests.proxy.api.images.name_server import answering, assert_untouched, listening
from tests.proxy.api.images.own_address_process import ADDRESSES, FAR

LIMIT = 1024 * 1024


@pytest.fixture
async def server() -> AsyncIterator[PictureServer]:
    """A server of pictures."""
    async with picture_server() as running:
        yield running


SPELLINGS = [
    *("127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001"),
    *("127.0.0.2", "127.1.2.3", "0", "0.0.0.0", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1"),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[::1%25lo]", "localhost", "LOCALHOST", "localhost.", "ip6-localhost"),
    "internal.example",
]


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
        async with Downloader(LIMIT, lookup=answering("127.0.0.1")) as downloader:
            with pytest.raises(DownloadFailed) as exc_info:
                await downloader.get(f"http://{host}:{port}/one.png")

        await assert_untouched(listener)
    assert str(exc_info.value) == proxy.api.images.download._NO_ANSWER


async def test_the_systems_own_answer_for_localhost_is_refused() -> None:
    with listening() as listener:
        async with Downloader(LIMIT) as downloader:
            with pytest.raises(DownloadFailed):
                await downloader.get(f"http://localhost:{listener.getsockname()[1]}/")

        await assert_untouched(listener)


@pytest.mark.parametrize(
    "answers",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("::1",),
        ("8.8.8.8", "127.0.0.1"),
        ("127.0.0.1", "8.8.8.8"),
        (),
    ],
)
async def test_a_name_with_any_answer_that_is_not_public_is_not_connected_to(answers: tuple[str, ...]) -> None:
    with listening() as listener:
        async with Downloader(LIMIT, lookup=answering(*answers)) as downloader:
            with pytest.raises(DownloadFailed):
                await downloader.get(f"http://pictures.example:{listener.getsockname()[1]}/")

        await assert_untouched(listener)


async def test_a_redirect_to_another_address_of_this_machine_is_not_followed(server: PictureServer) -> None:
    with listening("127.0.0.2") as listener:
        port = listener.getsockname()[1]
        async with Downloader(LIMIT, allowed=public_or_here, lookup=_by_name) as downloader:
            for host in ("127.0.0.2", "private.example", "[::ffff:127.0.0.2]"):
                with pytest.raises(DownloadFailed, match="public internet"):
                    await downloader.get(f"{server.url}/odd/to?url=http://{host}:{port}/")

        await assert_untouched(listener)
    assert server.hits["/odd/to"] == 3


def _by_name(host: str, port: int) -> list[AddressInfo]:
    return list(answering("127.0.0.2" if host == "private.example" else "127.0.0.1")(host, port))


async def test_a_name_that_answers_differently_the_second_time_leads_nowhere(server: PictureServer) -> None:
    """The first answer is the one that is connected to; the second one, for a redirect, is checked anew."""
    lookups: list[str] = []

    def rebinding(host: str, port: int) -> list[AddressInfo]:
        lookups.append(host)
        return list(answering("127.0.0.1" if len(lookups) == 1 else "127.0.0.2")(host, port))

    async with (
        picture_server("127.0.0.2", server.port) as private,
        Downloader(LIMIT, allowed=public_or_here, lookup=rebinding) as downloader,
    ):
        assert await downloader.get(f"http://rebind.example:{server.port}/one.png") == PNG
        assert lookups == ["rebind.example"]
        lookups.clear()
        with pytest.raises(DownloadFailed):
            await downloader.get(f"http://rebind.example:{server.port}/odd/to?url=/one.png")

    assert lookups == ["rebind.example"] * 2
    assert (sum(server.hits.values()), sum(private.hits.values())) == (2, 0)


async def test_what_is_connected_to_is_what_was_checked(server: PictureServer) -> None:
    """A rule that changes its mind after the look-up still stops the connection itself."""
    checked: list[Address] = []

    def once(address: Address) -> bool:
        checked.append(address)
        return len(checked) == 1

    async with Downloader(LIMIT, allowed=once, lookup=answering("127.0.0.1")) as downloader:
        with pytest.raises(DownloadFailed):
            await downloader.get(f"http://pictures.example:{server.port}/one.png")

    assert checked == [ip_address("127.0.0.1")] * 2
    assert not server.hits


async def test_nothing_tells_an_open_port_of_this_machine_from_a_closed_one(free_port: int) -> None:
    async with Downloader(LIMIT) as downloader:
        with listening() as listener:
            texts = set()
            for port in (free_port, listener.getsockname()[1]):
                for host in ("127.0.0.1", "localhost", "[::1]"):
                    for scheme in ("http", "https"):
                        with pytest.raises(DownloadFailed) as exc_info:
                            await downloader.get(f"{scheme}://{host}:{port}/")
                        texts.add(str(exc_info.value))

    assert texts == {proxy.api.images.download._NO_ANSWER}


def test_neither_this_machine_nor_its_link_is_reached_by_public_addresses() -> None:
    command = command_in_fresh_namespaces(sys.executable, "-m", "tests.proxy.api.images.own_address_process")
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    assert found == {address: {"users": address == FAR, "public": True} for address in ADDRESSES}


@pytest.mark.parametrize("address", ["11.22.33.44", "::ffff:11.22.33.44", "64:ff9b::11.22.33.44"])
def test_an_own_address_is_known_however_it_is_written(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert proxy.api.images.download.is_elsewhere(ip_address(address))
    monkeypatch.setattr(proxy.api.images.download, "own_networks", lambda: frozenset({ip_network("11.22.33.44")}))

    assert not proxy.api.images.download.is_elsewhere(ip_address(address))
    assert proxy.api.images.download.is_elsewhere(ip_address("11.22.33.45"))


def test_all_addresses_of_this_machine_are_known() -> None:
    assert ip_network("127.0.0.1") in proxy.api.images.download.own_networks()
