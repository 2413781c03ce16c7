"""Reading responses that are slow, late or silent."""

import asyncio
import gc
from contextlib import nullcontext

import pytest

import shared.site_client.client
import shared.site_client.pool
from shared.site_client.client import MAX_REPLY_BYTES, SiteClient
from shared.site_client.connection import MAX_INTERIMS, Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK, END = b"5\r\nhello\r\n", b"0\r\n\r\n"


async def answering(*parts: bytes, pause: float = 0.0, ended: asyncio.Semaphore | None = None) -> asyncio.Server:
    """A site that answers every request with *parts*, and keeps the connection; *ended* counts what was closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(pause)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            if ended is not None:
                ended.release()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


def address(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_complete_response_can_be_read_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.site_client.pool, "IDLE_SECONDS", 0.1)  # then its connection is closed
    ended = asyncio.Semaphore(0)
    async with (
        await answering(HEAD + CHUNK * 3 + END, ended=ended) as server,
        SiteClient() as client,
        client.stream(address(server), {}, idle_timeout=5.0) as reply,
    ):
        await asyncio.wait_for(ended.acquire(), 5)
        assert b"".join([piece async for piece in reply.body]) == b"hello" * 3


async def test_a_silent_response_times_out() -> None:
    async with await answering(HEAD + CHUNK) as server, SiteClient() as client:
        with pytest.raises(SiteTimeout, match="nothing came"):
            async with client.stream(address(server), {}, idle_timeout=0.2) as reply:
                _ = [piece async for piece in reply.body]


async def test_a_slow_stream_goes_on_but_a_whole_body_has_a_total_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = (HEAD, *[CHUNK] * 8, END)
    async with await answering(*parts, pause=0.05) as server, SiteClient() as client:
        monkeypatch.setattr(shared.site_client.client, "CONNECT_SECONDS", 0.0)  # so that a head has no more than that
        async with client.stream(address(server), {}, idle_timeout=0.2) as reply:
            assert b"".join([piece async for piece in reply.body]) == b"hello" * 8
        with pytest.raises(SiteTimeout, match="took too long"):
            await client.post(address(server), b"", {}, timeout=0.2)
        assert (await client.post(address(server), b"", {}, timeout=5.0)).body == b"hello" * 8


@pytest.mark.parametrize("end", [b"0 \r\n\r\n", b"0;last\r\n\r\n", b"000\r\n\r\n", b"0\r\nX: y\r\n\r\n"])
async def test_an_answer_ends_with_its_last_chunk_however_that_is_written(end: bytes) -> None:
    async with await answering(HEAD, CHUNK, end, pause=0.01) as server, SiteClient() as client:
        assert (await client.post(address(server), b"", {}, timeout=2.0)).body == b"hello"


@pytest.mark.parametrize("pause", [0.0, 0.005])  # all at once, and each by itself
async def test_interim_answers_come_before_the_real_one_but_not_without_end(pause: float) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    real = HEAD + CHUNK + END
    async with SiteClient() as client:
        async with await answering(*[interim] * MAX_INTERIMS, real, pause=pause) as server:
            assert (await client.get(address(server), {}, timeout=5.0)).body == b"hello"
        async with await answering(*[interim] * (MAX_INTERIMS + 1), real, pause=pause) as server:
            with pytest.raises(SiteUnreachable, match="interim"):
                await client.get(address(server), {}, timeout=5.0)


async def test_a_page_may_be_longer_than_the_reply_to_a_post() -> None:
    page = b"x" * (MAX_REPLY_BYTES + 1)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    async with await answering(whole) as server, SiteClient() as client:
        assert (await client.get(address(server), {}, timeout=5.0)).body == page
        assert (await client.post(address(server), b"", {}, timeout=5.0)).body == page[:-1]


SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 15\r\n\r\n"
WHOLE = {"chunked": HEAD + CHUNK * 3 + END, "sized": SIZED + b"hello" * 3}
SURPLUS = {"none": b"", "a line": b"\r\n", "an end": END, "an answer": HEAD + CHUNK + END, "a byte": b"x"}


@pytest.mark.parametrize("surplus", SURPLUS)
@pytest.mark.parametrize("framing", WHOLE)
async def test_bytes_after_a_response_do_not_change_it_and_close_the_connection(framing: str, surplus: str) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(WHOLE[framing] + SURPLUS[surplus])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, SiteClient() as client:
        for _ in range(3):
            async with client.stream(address(server), {}, idle_timeout=5.0) as reply:
                assert b"".join([piece async for piece in reply.body]) == b"hello" * 3
                assert not reply.is_repeat

    assert connections == (1 if surplus == "none" else 3)


@pytest.mark.parametrize(("late", "timeout", "repeats"), [(0.0, 5.0, True), (0.2, 5.0, False), (0.2, 0.05, False)])
async def test_only_requests_that_a_kept_connection_cannot_have_received_are_repeated(
    monkeypatch: pytest.MonkeyPatch, late: float, timeout: float, repeats: bool
) -> None:
    monkeypatch.setattr(shared.site_client.pool, "STALE_SECONDS", 0.1)
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                requests.append(await reader.readuntil(b"\r\n\r\n"))
                if len(requests) == 2:  # as of a site that goes down in the middle of it
                    await asyncio.sleep(late)
                    return
                writer.write(HEAD + CHUNK + END)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, SiteClient() as client:
        await client.post(address(server), b"", {}, timeout=5.0)
        with nullcontext() if repeats else pytest.raises(SiteUnreachable):
            await client.post(address(server), b"", {}, timeout=timeout)

    assert len(requests) == (3 if repeats else 2)


def connections() -> int:
    """The connections that something still holds."""
    gc.collect()
    return sum(isinstance(each, Connection) for each in gc.get_objects())


async def test_bytes_on_an_idle_connection_close_it_and_nothing_is_kept_of_it() -> None:
    ended, before = asyncio.Semaphore(0), connections()
    site = await answering(HEAD + CHUNK + END, b"late", pause=0.1, ended=ended)
    async with site as server, SiteClient() as client:
        for _ in range(2):
            async with client.stream(address(server), {}, idle_timeout=5.0) as reply:
                assert b"".join([piece async for piece in reply.body]) == b"hello"
            await asyncio.wait_for(ended.acquire(), 5)
            assert not reply.is_repeat
            del reply
        assert connections() <= before
