"""The doctor tells what keeps a site away: each obstacle the real thing, on this machine."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from shared.cli.doctor import network
from shared.cli.doctor.check import Check, Level
from shared.cli.doctor.network import Obstacle, classify, diagnose
from shared.cli.doctor.site import check_site
from shared.parsing import site
from shared.site_client import client as site_client
from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from tests.certificates import Authorities
from tests.http_proxy import http_proxy


async def failed_check(url: str) -> Check:
    async with SiteClient() as client:
        (check,) = await check_site(client, site(url), 0.0)
    assert check.level is Level.FAIL
    assert check.advice
    return check


@asynccontextmanager
async def closing_server(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that hears what it is asked, and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that further attempts are dropped, as by a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        attempts = [socket.socket() for _ in range(4)]
        for attempt in attempts:
            attempt.setblocking(False)
            attempt.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for attempt in attempts:
                attempt.close()


async def test_a_port_where_nothing_listens_is_reported(free_port: int) -> None:
    assert ": refused: " in (await failed_check(f"http://127.0.0.1:{free_port}/")).what


async def test_an_untrusted_certificate_is_reported(authorities: Authorities) -> None:
    async with closing_server(authorities.context()) as port:
        check = await failed_check(f"https://127.0.0.1:{port}/")

    assert ": TLS: " in check.what
    assert "SSL_CERT_FILE" in check.advice


async def test_a_closed_connection_is_reported() -> None:
    async with closing_server() as port:
        assert ": firewall: " in (await failed_check(f"http://127.0.0.1:{port}/")).what


async def test_dropped_packets_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(site_client, "CONNECT_SECONDS", 0.3)
    with silent_port() as port:
        check = await failed_check(f"http://127.0.0.1:{port}/")

    assert ": firewall: " in check.what


async def test_a_site_that_is_reached_and_says_nothing_is_not_taken_for_a_firewall() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = await diagnose(SiteTimeout("the site did not answer in time"), f"http://127.0.0.1:{port}/")

    assert found is Obstacle.SITE


async def test_an_http_proxy_that_refuses_and_one_that_is_away_are_reported(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    async with http_proxy({}, user="me:hush") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        refused = await failed_check("https://chat.example/")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    away = await failed_check("https://chat.example/")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    of_another_kind = await failed_check("https://chat.example/")

    for check in (refused, away, of_another_kind):
        assert ": proxy: " in check.what
        assert "HTTPS_PROXY" in check.advice


def unreachable(cause: Exception) -> SiteUnreachable:
    error = SiteUnreachable("cannot connect to the site")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Obstacle.DNS),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), Obstacle.DNS),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Obstacle.NETWORK),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Obstacle.FIREWALL),
        (PermissionError(errno.EPERM, "Operation not permitted"), Obstacle.FIREWALL),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), Obstacle.FIREWALL),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), Obstacle.TLS),
        (ValueError("a port that cannot be one"), Obstacle.SITE),
    ],
)
def test_system_errors_of_other_networks_are_explained(cause: Exception, expected: Obstacle) -> None:
    assert classify(unreachable(cause)) is expected
