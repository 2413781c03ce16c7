"""Consuming a body chunk by chunk with a callback."""

import asyncio
from collections.abc import Callable

import pytest

from shared.site_client.bodies import MAX_BUFFER_BYTES, Body
from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable
from tests.shared.site_client.test_streams import CHUNK, END, HEAD, address, answering


class Socket:
    """What a body asks of its connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body = Body(lambda: self.asked.append("pause"), lambda: self.asked.append("resume"))


def taking(into: list[bytes], *, until: bytes | None = None) -> Callable[[bytes], bool]:
    """Takes pieces into a list; False with the piece *until*."""

    def take(piece: bytes) -> bool:
        into.append(piece)
        return piece != until

    return take


async def waiting(body: Body, take: Callable[[bytes], bool]) -> asyncio.Task[bool]:
    """A reader that has come to wait for the next piece."""
    reading = asyncio.create_task(body.consume(take))
    await asyncio.sleep(0)
    assert not reading.done()
    return reading


async def test_buffered_bytes_are_passed_first_and_the_rest_as_they_arrive() -> None:
    body, received = Socket().body, list[bytes]()
    body.feed(b"a")
    body.feed(b"b")

    reading = await waiting(body, taking(received))
    assert received == [b"ab"]
    body.feed(b"c")
    body.feed(b"d")
    assert received == [b"ab", b"c", b"d"]

    body.end()
    assert await reading is False


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_returning_false_pauses_and_loses_no_bytes(is_waiting: bool) -> None:
    body, received = Socket().body, list[bytes]()
    if is_waiting:
        reading = await waiting(body, taking(received, until=b"a"))
        body.feed(b"a")
    else:
        body.feed(b"a")
        reading = asyncio.create_task(body.consume(taking(received, until=b"a")))
        assert await reading is True
    body.feed(b"b")  # while the reader has not yet run, too
    body.feed(b"c")

    assert await reading is True
    assert received == [b"a"]
    body.end()
    assert await body.consume(taking(received)) is False
    assert received == [b"a", b"bc"]


async def test_an_end_that_comes_with_the_last_chunk_is_reported_after_the_pause() -> None:
    body, received = Socket().body, list[bytes]()
    reading = await waiting(body, taking(received, until=b"a"))
    body.feed(b"a")
    body.end()

    assert await reading is True
    assert await body.consume(taking(received)) is False
    assert received == [b"a"]


def refusing(piece: bytes) -> bool:
    raise ValueError(piece)


async def test_an_error_of_the_consumer_is_raised_in_the_waiting_reader_and_not_in_the_socket() -> None:
    body = Socket().body
    reading = await waiting(body, refusing)
    body.feed(b"a")
    body.feed(b"b")

    with pytest.raises(ValueError, match="a"):
        await reading
    with pytest.raises(ValueError, match="a"):  # what comes after it is not kept
        await anext(body)


async def test_bytes_after_the_end_are_discarded() -> None:
    body = Socket().body
    body.feed(b"a")
    body.end()
    body.feed(b"b")
    body.end(SiteUnreachable("too late to matter"))

    assert [chunk async for chunk in body] == [b"a"]


async def test_an_error_of_the_consumer_on_a_buffered_chunk_is_raised_at_once() -> None:
    body = Socket().body
    body.feed(b"a")
    with pytest.raises(ValueError, match="a"):
        await body.consume(refusing)


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_lost_connection_is_raised_after_all_received_bytes(is_waiting: bool) -> None:
    body, received = Socket().body, list[bytes]()
    reading = asyncio.create_task(body.consume(taking(received)))
    if is_waiting:
        await asyncio.sleep(0)
    body.feed(b"a")
    body.end(SiteUnreachable("it broke off"))

    with pytest.raises(SiteUnreachable, match="broke off"):
        await reading
    assert received == [b"a"]


async def test_a_paused_reader_pauses_the_socket() -> None:
    socket, received = Socket(), list[bytes]()
    reading = await waiting(socket.body, taking(received, until=b"a"))
    socket.body.feed(b"a")
    assert await reading is True

    socket.body.feed(bytes(MAX_BUFFER_BYTES))
    assert socket.asked == []
    socket.body.feed(b"z")
    assert socket.asked == ["pause"]
    resumed = await waiting(socket.body, taking(received))
    assert socket.asked == ["pause", "resume"]
    assert len(received[1]) == MAX_BUFFER_BYTES + 1
    socket.body.end()
    assert await resumed is False


async def test_a_cancelled_reader_consumes_nothing_more() -> None:
    body, received = Socket().body, list[bytes]()
    reading = await waiting(body, taking(received))
    reading.cancel()
    await asyncio.wait([reading])

    body.feed(b"a")
    assert received == []
    assert await anext(body) == b"a"


async def test_a_response_body_is_consumed_to_its_end() -> None:
    received = list[bytes]()
    async with (
        await answering(HEAD, CHUNK, CHUNK, END, pause=0.02) as server,
        SiteClient() as client,
        client.stream(address(server), {}, idle_timeout=5.0) as reply,
    ):
        assert await reply.body.consume(taking(received)) is False
    assert b"".join(received) == b"hello" * 2
