"""Fetching what clients name by address; the only use of aiohttp's client.

Only other machines of the public internet are asked (`is_elsewhere`). A name is looked up once for each connection, one
address among its answers that is not public refuses them all, and every socket checks the address it is about to
connect to, so that no spelling, no redirect and no second answer of a name server leads anywhere else. No cookies, no
credentials, no proxy from the environment; redirects are followed here, one by one.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from proxy.api.images.addresses import Address, is_public, reached_by, web_url
from shared.site_client import tls
from shared.site_client.client import USER_AGENT

MAX_REDIRECTS = 3
MAX_DOWNLOADS = 8  # at once; more wait, within their own time
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 10.0
TOTAL_SECONDS = 20.0
MAX_LOOKUPS = 4  # at once, in threads of their own: a slow name server must not hold up anybody else's
SITE_BITS = 48  # of an IPv6 network: nobody's own is larger
_INET = frozenset({socket.AF_INET, socket.AF_INET6})
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # an address, which is not to be looked up again
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# One text for everything that may go wrong before and beside an answer: it must not tell whether something listens
# at an address that is refused, nor which names are known inside a private network.
_NO_ANSWER = "its address is not on the public internet, or nothing answered there properly and in time"

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]  # as `socket.getaddrinfo` gives it
AddressRule = Callable[[Address], bool]
Lookup = Callable[[str, int], Sequence[AddressInfo]]


class DownloadFailed(Exception):
    """Nothing usable came; the text says why, and holds no address."""


class DownloadTooLarge(DownloadFailed):
    """There is more of it than is wanted."""


def own_networks() -> frozenset[IPv4Network | IPv6Network]:
    """This machine's addresses now, which may come and go: IPv4 ones alone, IPv6 ones with all others on their link.

    In a home or an office each machine has a public IPv6 address, and the same firewall before it.
    """
    import psutil  # only for those who fetch

    found = [entry for entries in psutil.net_if_addrs().values() for entry in entries if entry.family in _INET]
    return frozenset(_network(ip_address(entry.address.partition("%")[0]), entry.netmask) for entry in found)


def _network(address: Address, mask: str | None) -> IPv4Network | IPv6Network:
    bits: int = address.max_prefixlen
    if address.version == 6 and mask is not None:
        bits = max(int(ip_address(mask)).bit_count(), SITE_BITS)
    return ip_network((address, bits), strict=False)


def is_elsewhere(address: Address) -> bool:
    """Whether *address* is on the public internet and neither this machine's own nor on its link.

    What a firewall keeps from others is open to who comes from the machine itself, by a public address too. (What a
    router passes on to it for another address is open to all anyway.)
    """
    return is_public(address) and not any(reached_by(address) in network for network in own_networks())


def look_up(host: str, port: int) -> Sequence[AddressInfo]:
    """Ask the system's resolver. Raises `OSError`, and `ValueError` for what cannot be a name."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class Downloader:
    """Use as an async context manager.

    *max_bytes*: longest body. *allowed*: the addresses that may be connected to. *lookup*: the resolver, which may
    block; it is called in a thread.
    """

    def __init__(self, max_bytes: int, *, allowed: AddressRule = is_elsewhere, lookup: Lookup = look_up) -> None:
        self._max_bytes = max_bytes
        self._allowed = allowed
        self._lookup = lookup
        self._places = asyncio.Semaphore(MAX_DOWNLOADS)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "Downloader":
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(self._allowed, self._lookup),
            socket_factory=self._open_socket,
            use_dns_cache=False,
            force_close=True,
            ssl=tls.context(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "image/png, image/jpeg, image/webp, image/gif",
                "Accept-Encoding": "identity",
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, url: str) -> bytes:
        """The whole body at *url*, an address that `web_url` takes. Raises `DownloadFailed` and `DownloadTooLarge`."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS), self._places:
                return await self._follow(web_url(url))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            raise DownloadFailed(_NO_ANSWER) from error

    async def _follow(self, url: URL) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status == 200:
                    return await self._read(answer)
                if answer.status not in _REDIRECTS:
                    raise DownloadFailed(f"its server answered with status {answer.status}")
                try:
                    url = web_url(answer.headers.get("Location", ""), url)
                except ValueError as error:
                    raise DownloadFailed("its server redirects to an address that cannot be fetched") from error
        raise DownloadFailed(f"its server redirects more than {MAX_REDIRECTS} times")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        too_large = DownloadTooLarge(f"it is larger than {self._max_bytes} bytes")
        if (answer.content_length or 0) > self._max_bytes:
            raise too_large
        content = bytearray()
        async for piece in answer.content.iter_any():
            content += piece
            if len(content) > self._max_bytes:
                raise too_large
        return bytes(content)

    def _open_socket(self, info: AddressInfo) -> socket.socket:
        """The last gate before a connection, and the only one for hosts that are numbers: those are not looked up."""
        family, kind, protocol, _, address = info
        _refuse_unless(self._allowed, str(address[0]))
        return socket.socket(family, kind, protocol)


class _CheckedResolver(AbstractResolver):
    """Looks names up, and gives either addresses that are all allowed or an `OSError`."""

    def __init__(self, allowed: AddressRule, lookup: Lookup) -> None:
        self._allowed = allowed
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port)
        if not found:
            raise OSError("the name has no address")
        for info in found:
            _refuse_unless(self._allowed, str(info[4][0]))
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kin, proto=protocol, flags=_NUMERIC)
            for kin, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _refuse_unless(allowed: AddressRule, address: str) -> None:
    """Raise `OSError` unless *address* is one, and allowed."""
    try:
        is_allowed = allowed(ip_address(address))
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise OSError("the address is not allowed")
