"""Each program gets its task done by tools; run by `python -m tests.benchmarks programs`, and by nothing else."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from time import monotonic

import pytest

from tests.clients.programs import open_webui
from tests.clients.programs.tasks import FILE, KEY, MODEL, PROGRAMS, TEXT, Place, asking
from tests.clients.running import environment
from tests.figures import figure
from tests.loops import USERS
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

BOT = 6  # remembers by itself, as most bots do
PROGRAM_SECONDS = 180.0
pytestmark = pytest.mark.timeout(1800)  # the first of all has to be installed


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Event loops that every test runs on."""
    return USERS


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """The site, with its default bots."""
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a key."""
    async with running_proxy(site, tmp_path / "data", key=KEY, models={MODEL: BOT}) as running:
        yield running


@pytest.fixture
def place(proxy: RunningProxy, tmp_path: Path) -> Place:
    """A home and a working directory."""
    place = Place(tmp_path / "home", tmp_path / "work", f"{proxy.url}/v1")
    place.home.mkdir()
    place.work.mkdir()
    return place


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_writes_a_file(name: str, site: SimulatedSite, place: Place) -> None:
    task = PROGRAMS[name](place)
    site.behaviour.update({"scripts": {name: task.steps}})
    start = monotonic()
    process = await asyncio.create_subprocess_exec(
        *task.command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=place.work,
        env={**environment(place.home), "OPENAI_API_KEY": KEY, **task.environment},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PROGRAM_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    text = output.decode("utf-8", "replace")
    tell(name, site, monotonic() - start)

    assert process.returncode == 0, text
    assert (place.work / FILE).exists(), text
    assert (place.work / FILE).read_text("utf-8").removesuffix("\n") == TEXT
    assert TEXT in text.partition("So: ")[2], text


async def test_open_webui_writes_a_note(site: SimulatedSite, place: Place, free_port: int, tmp_path: Path) -> None:
    site.behaviour.update({"scripts": {"open-webui": open_webui.STEPS}})
    async with open_webui.serving(place, free_port, tmp_path / "log") as url:
        start = monotonic()
        text = await open_webui.say(url, asking("open-webui"), "So: ")
        tell("open-webui", site, monotonic() - start)

        assert open_webui.TITLE in text.partition("So: ")[2]
        assert await open_webui.notes(url) == [(open_webui.TITLE, TEXT)]


def tell(name: str, site: SimulatedSite, seconds: float) -> None:
    """Print what a task of a program took."""
    sent = [len(seen.fields["message"]) for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    rounds = ", ".join(f"{size / 1000:.1f}" for size in sent)
    figure(f"{name}: seconds, and kB of text sent to the site in each turn", f"{seconds:.1f}; {rounds}")
