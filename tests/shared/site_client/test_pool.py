"""Connections that are slow, refused or lost, on the event loops that the services use."""

import asyncio
import gc
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from time import monotonic, sleep, time
from typing import Any

import psutil
import pytest
import uvloop

from shared.site_client.client import SiteClient
from shared.site_client.connection import Connection, Timeouts
from shared.site_client.errors import SiteUnreachable
from tests.cli.processes import ROOT, wait_until
from tests.ports import a_free_port

LOOPS = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
STILL_SECONDS = 2.0
READER = """
import asyncio, importlib, sys
from shared.site_client.client import SiteClient

async def read(url, idle_timeout):
    async with SiteClient() as client, client.stream(url, {}, idle_timeout=idle_timeout) as response:
        async for data in response.body:
            print(data.decode(), end="", flush=True)

loop = importlib.import_module(sys.argv[1])
with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
    runner.run(read(sys.argv[2], float(sys.argv[3])))
"""
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(work: Coroutine[Any, Any, None], loop_factory: LoopFactory) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(work)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[int]:
    """A server whose connections have *answer*; yields its port, and waits for their ends."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
        await asyncio.gather(*(task for task in tasks if task))


async def fail(url: str, message: str) -> None:
    """Check that a POST to *url* and a stream from it fail with *message*."""
    async with SiteClient() as client:
        with pytest.raises(SiteUnreachable, match=message):
            await client.post(url, b"", {}, timeout=5.0)
        with pytest.raises(SiteUnreachable, match=message):
            async with client.stream(url, {}, idle_timeout=5.0):
                pytest.fail("it was answered")


@LOOPS
def test_a_refused_connect_leaves_nothing_behind(loop_factory: LoopFactory) -> None:
    run(fail(f"http://127.0.0.1:{a_free_port()}/", r"cannot connect \(Connection refused\)"), loop_factory)


@LOOPS
def test_a_tls_handshake_that_is_cut_leaves_nothing_behind(loop_factory: LoopFactory) -> None:
    async def cut() -> None:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with answering(close) as port:
            await fail(f"https://127.0.0.1:{port}/", "cannot connect")

    run(cut(), loop_factory)


@LOOPS
@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999/", "http://a..localhost/", "http://[::1/", "http:///x"])
def test_an_address_that_cannot_be_one_is_unreachable(url: str, loop_factory: LoopFactory) -> None:
    run(fail(url, "cannot"), loop_factory)


async def test_an_international_host_name_is_requested_as_browsers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = asyncio.Queue[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with answering(answer) as port:
        loop, named = asyncio.get_running_loop(), []

        async def resolve(host: str, *_: object, **__: object) -> list[Any]:
            named.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(loop, "getaddrinfo", resolve, raising=False)
        async with SiteClient() as client:
            await client.get(f"http://müller.example:{port}/чат?a=1&b=ü", {}, timeout=5.0)

    lines = (await requests.get()).split(b"\r\n")
    assert lines[:2] == [b"GET /%D1%87%D0%B0%D1%82?a=1&b=%C3%BC HTTP/1.1", b"Host: xn--mller-kva.example:%d" % port]
    assert named == ["xn--mller-kva.example"]


@pytest.mark.parametrize("target", ["/a%7eb/%e4%2F..//c;d=%27?q=%7e&r=a+b?", "/?", "/%"])
async def test_an_address_in_ascii_is_asked_for_as_it_is_written(target: str) -> None:
    requests = asyncio.Queue[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with answering(answer) as port, SiteClient() as client:
        await client.get(f"http://127.0.0.1:{port}{target}", {}, timeout=5.0)
    assert (await requests.get()).split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


@LOOPS
def test_a_connection_that_is_lost_before_it_is_used_is_unreachable(loop_factory: LoopFactory) -> None:
    async def lose() -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            loop = asyncio.get_running_loop()
            lost = asyncio.Event()

            class Watched(Connection):
                __slots__ = ()

                def connection_lost(self, error: Exception | None) -> None:
                    super().connection_lost(error)
                    lost.set()

            _, connection = await loop.create_connection(Watched, *server.getsockname())
            server.accept()[0].close()
            await lost.wait()
            async with asyncio.timeout(1):
                with pytest.raises(SiteUnreachable, match="closed before"):
                    await connection.send(b"GET / HTTP/1.1\r\n\r\n", Timeouts(30.0, 30.0))

    run(lose(), loop_factory)


async def test_an_address_that_drops_packets_costs_a_fraction_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose queue of connections is full: the system then answers no packet that asks for another."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with answering(answer) as port:
        with closing(socket.create_server(("127.0.0.2", port), backlog=0)) as silent, ExitStack() as waiting:
            for _ in range(3):
                one = waiting.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(silent.getsockname())
            known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: known)
            started = monotonic()
            async with SiteClient() as client:
                reply = await client.post(f"http://two.example:{port}/", b"", {}, timeout=30.0)

    assert reply.body == b"ok"
    assert monotonic() - started < 5.0  # a busy machine; without the second address it is 15 s


@LOOPS
def test_a_large_body_arrives_whole_and_its_connection_is_kept(loop_factory: LoopFactory) -> None:
    body = bytes(range(256)) * 80_000
    peers = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            peers.add(writer.get_extra_info("peername"))
            is_whole = await reader.readexactly(len(body)) == body
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % is_whole)

    async def send() -> None:
        async with answering(answer) as port, SiteClient() as client:
            url = f"http://127.0.0.1:{port}/"
            for _ in range(2):
                assert (await client.post(url, body, {}, timeout=20.0)).body == b"1"

    run(send(), loop_factory)
    assert len(peers) == 1


async def test_a_connection_kept_from_before_the_machine_slept_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network forgot it: what is sent on it reaches nobody."""

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()

    async with answering(answer_once) as port, SiteClient() as client:
        url = f"http://127.0.0.1:{port}/"
        await client.post(url, b"", {}, timeout=5.0)
        monkeypatch.setattr("shared.site_client.pool.time", lambda: time() + 3600.0)

        assert (await client.post(url, b"", {}, timeout=5.0)).body == b"ok"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_came_while_the_process_stood_still_is_read_before_it_counts_as_silence(loop: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        reader = [sys.executable, "-c", READER, loop, url, str(STILL_SECONDS * 0.4)]
        with subprocess.Popen(reader, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\none\n")
                assert process.stdout.readline() == "one\n"
                process.send_signal(signal.SIGSTOP)
                wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "it stands still")
                connection.sendall(b"two\n")
                sleep(STILL_SECONDS)
                process.send_signal(signal.SIGCONT)
                assert process.stdout.readline() == "two\n"
                connection.sendall(b"end")
            assert process.stdout.read() == "end"


@LOOPS
def test_a_large_body_whose_turn_ends_leaves_nothing_behind(loop_factory: LoopFactory) -> None:
    """Nobody waits for the answer then, and its error is no fault to be logged."""
    logged: list[Any] = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        left = asyncio.Event()
        async with answering(lambda reader, writer: left.wait()) as port, SiteClient() as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.post(f"http://127.0.0.1:{port}/", b"x" * 16 * 1024**2, {}, timeout=30.0)
            await asyncio.sleep(0)  # the connection ends in the loop's next round
            gc.collect()
            left.set()

    run(leave(), loop_factory)
    assert logged == []


@LOOPS
def test_an_answer_before_the_end_of_the_request_body_is_read(loop_factory: LoopFactory) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        while await reader.read(65536):
            pass

    async def send() -> None:
        async with answering(refuse) as port, SiteClient() as client:
            url = f"http://127.0.0.1:{port}/"
            for _ in range(2):
                reply = await client.post(url, bytes(50_000_000), {}, timeout=20.0)
                assert (reply.status, reply.body) == (413, b"big")

    run(send(), loop_factory)
