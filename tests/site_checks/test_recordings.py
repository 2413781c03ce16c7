"""The simulated site against recordings of a real one: the same requests bring the same bytes."""

from collections.abc import AsyncIterator

import pytest

from tests.site import SimulatedSite
from tests.site_checks.raw import get
from tests.site_checks.recordings import SAMPLES, comparable, comparable_head, names, recorded
from tests.site_checks.scenarios import SCENARIOS
from tests.site_checks.visitor import Visitor


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with SimulatedSite() as site:
        yield Visitor(site)


def test_every_recorded_answer_is_covered() -> None:
    assert set(SCENARIOS) == names()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_the_answer_is_the_recorded_one(visitor: Visitor, name: str) -> None:
    interim, head, body = recorded(name)

    answer = await SCENARIOS[name](visitor)

    assert comparable_head(answer.head) == comparable_head(head)
    assert comparable(answer.text) == comparable(body.decode())
    assert answer.interim == interim


async def test_the_chunk_framing_is_the_recorded_one(visitor: Visitor) -> None:
    raw = (SAMPLES / "03-stream-ok-rawchunked.bin").read_bytes()
    head, _, framed = raw.partition(b"\r\n\r\n")
    chunks = []
    while framed:
        size, _, framed = framed.partition(b"\r\n")
        chunks.append(framed[: int(size, 16)].decode())
        framed = framed[int(size, 16) + 2 :]

    answer = await visitor.send("raw framing")

    assert comparable_head(answer.head) == comparable_head(head + b"\r\n\r\n")
    assert len(answer.chunks[0]) == 0x1003
    framing = "\r\n--\r\n"
    assert comparable(framing.join(chunk.decode() for chunk in answer.chunks)) == comparable(framing.join(chunks[:-1]))


@pytest.mark.parametrize(("page", "path", "sample"), [("inline", "chat/", "chat"), ("popup", "", "home")])
async def test_the_chats_tag_is_the_recorded_one(visitor: Visitor, page: str, path: str, sample: str) -> None:
    visitor.site.behaviour.page = page

    text = (await get(visitor.site.url + path)).text

    tag = (SAMPLES / f"data-config-{sample}-raw-tag.html").read_text(encoding="utf-8")
    assert comparable(tag) in comparable(text)
