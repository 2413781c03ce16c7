"""A body that is passed to a plain call, piece by piece."""

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


async def test_what_came_before_is_passed_first_and_the_rest_in_the_call_it_comes_with() -> None:
    body, taken = Socket().body, list[bytes]()
    body.feed(b"a")
    body.feed(b"b")

    reading = await waiting(body, taking(taken))
    assert taken == [b"ab"]
    body.feed(b"c")
    body.feed(b"d")
    assert taken == [b"ab", b"c", b"d"]

    body.end()
    assert await reading is False


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_false_pauses_and_nothing_of_what_comes_meanwhile_is_lost(is_waiting: bool) -> None:
    body, taken = Socket().body, list[bytes]()
    if is_waiting:
        reading = await waiting(body, taking(taken, until=b"a"))
        body.feed(b"a")
    else:
        body.feed(b"a")
        reading = asyncio.create_task(body.consume(taking(taken, until=b"a")))
        assert await reading is True
    body.feed(b"b")  # while the reader has not yet run, too
    body.feed(b"c")

    assert await reading is True
    assert taken == [b"a"]
    body.end()
    assert await body.consume(taking(taken)) is False
    assert taken == [b"a", b"bc"]


async def test_an_end_that_comes_with_the_last_piece_is_told_after_the_pause() -> None:
    body, taken = Socket().body, list[bytes]()
    reading = await waiting(body, taking(taken, until=b"a"))
    body.feed(b"a")
    body.end()

    assert await reading is True
    assert await body.consume(taking(taken)) is False
    assert taken == [b"a"]


def refusing(piece: bytes) -> bool:
    raise ValueError(piece)


async def test_what_take_raises_is_raised_where_the_reader_waits_and_not_at_the_socket() -> None:
    body = Socket().body
    reading = await waiting(body, refusing)
    body.feed(b"a")

    with pytest.raises(ValueError, match="a"):
        await reading


async def test_what_take_raises_of_an_unread_piece_is_raised_at_once() -> None:
    body = Socket().body
    body.feed(b"a")
    with pytest.raises(ValueError, match="a"):
        await body.consume(refusing)


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_break_off_is_raised_after_all_that_came(is_waiting: bool) -> None:
    body, taken = Socket().body, list[bytes]()
    reading = asyncio.create_task(body.consume(taking(taken)))
    if is_waiting:
        await asyncio.sleep(0)
    body.feed(b"a")
    body.end(SiteUnreachable("it broke off"))

    with pytest.raises(SiteUnreachable, match="broke off"):
        await reading
    assert taken == [b"a"]


async def test_a_reader_that_pauses_holds_the_socket_back() -> None:
    socket, taken = Socket(), list[bytes]()
    reading = await waiting(socket.body, taking(taken, until=b"a"))
    socket.body.feed(b"a")
    assert await reading is True

    socket.body.feed(bytes(MAX_BUFFER_BYTES))
    assert socket.asked == []
    socket.body.feed(b"z")
    assert socket.asked == ["pause"]
    again = await waiting(socket.body, taking(taken))
    assert socket.asked == ["pause", "resume"]
    assert len(taken[1]) == MAX_BUFFER_BYTES + 1
    socket.body.end()
    assert await again is False


async def test_a_reader_that_was_cancelled_takes_nothing_more() -> None:
    body, taken = Socket().body, list[bytes]()
    reading = await waiting(body, taking(taken))
    reading.cancel()
    await asyncio.wait([reading])

    body.feed(b"a")
    assert taken == []
    assert await anext(body) == b"a"


async def test_a_sites_answer_is_passed_on_to_its_end() -> None:
    taken = list[bytes]()
    async with (
        await answering(HEAD, CHUNK, CHUNK, END, pause=0.02) as server,
        SiteClient() as client,
        client.stream(address(server), {}, idle_timeout=5.0) as reply,
    ):
        assert await reply.body.consume(taking(taken)) is False
    assert b"".join(taken) == b"hello" * 2
