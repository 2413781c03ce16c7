"""What the images have to do when they run: the main job in one container, and in the two that Compose starts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic

import aiohttp
import psutil

from shared.secrets import private_dir
from tests.end_to_end.running_up import pss_bytes
from tests.figures import figure
from tests.image.container import Container, Image, make_volume, running
from tests.ports import a_free_port
from tests.shared.store.sqlite_files import modes
from tests.site.process import RunningSite, running_site

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
MODEL = "gpt-4o-mini-helper"
READY_SECONDS = 60.0
EARLIER_TOOL = "COOKIE='a=$$2y$$10$$abc; b=1'\nNGINX_PORT=8088\nPOST_ID=18\n"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where containers run: their volume, the project directory, the site they visit and the port they serve."""

    place: Path
    data: Path
    project: Path
    site: RunningSite
    port: int

    @property
    def settings(self) -> dict[str, str]:
        """What the environment of a container has to say."""
        return {"FREEAICHAT_SITES": self.site.url, "FREEAICHAT_PORT": str(self.port)}

    def run(self, image: Image, *arguments: str, name: str, **settings: str) -> AbstractContextManager[Container]:
        """A container; see `tests.image.container.running`."""
        return running(
            image,
            *arguments,
            data=self.data,
            project=self.project,
            settings=self.settings | settings,
            log=self.place / f"{name}.log",
        )

    @property
    def key(self) -> str:
        """The key that was made."""
        return (self.data / "master.key").read_text().strip()


@asynccontextmanager
async def setting(place: Path, image: Image) -> AsyncIterator[Setting]:
    """A new place for containers of *image*, in front of the simulated site."""
    data = make_volume(place / "data", image)
    project = private_dir(place / "project")
    project.chmod(0o755)
    async with running_site() as site:
        yield Setting(place, data, project, site, a_free_port())


async def one_container(image: Image, place: Path) -> None:
    """`docker run` of the whole image: visit, key, streamed answer, health, and a clean end."""
    async with setting(place, image) as here:
        begun = monotonic()
        with here.run(image, name="everything") as container:
            peak = asyncio.create_task(_peak_memory(container))
            await ready(here.port, container)
            text, first = await stream(here.port, here.key)
            figure("image: start to first streamed token", f"{first - begun:.1f} s")
            assert text.startswith("[gpt-4o-mini] You said: hi"), text
            assert container.is_healthy()
            _is_confined(container)
            peak.cancel()
            figure("image: memory at most, of the visit and all else (PSS)", f"{await _result(peak):.0f} MB")
            begun = monotonic()
            assert container.stop() == 0
            figure("image: seconds to stop", f"{monotonic() - begun:.1f}")
            assert container.log.read_text().count(here.key) == 1
        assert set(modes(here.data).values()) == {0o600}


async def two_containers(harvester: Image, proxy: Image, place: Path) -> None:
    """What Compose starts: harvester and proxy on one volume, with the `.env` of the earlier tool."""
    async with setting(place, harvester) as here:
        (here.project / ".env").write_text(EARLIER_TOOL)
        with (
            here.run(proxy, "proxy", name="proxy") as serving,
            here.run(harvester, "harvester", name="harvester") as visiting,
        ):
            await ready(here.port, serving)
            visiting.execute("freeaichat", "harvest")  # the values of `.env` alone would do for a while
            text, _ = await stream(here.port, here.key)
            assert text.startswith("[gpt-4o-mini] You said: hi"), text
            assert serving.is_healthy()
            visiting.execute(*_compose_healthcheck("harvester"))
            await _is_shared(here, proxy)
            code = "from shared.settings import load; s = load(); print(s.cookie.get_secret_value(), s.post_id, s.port)"
            assert serving.execute("python", "-c", code) == f"a=$2y$10$abc; b=1 18 {here.port}\n"
            serving.execute("freeaichat", "backup", "/data/copy.db")
            assert [serving.stop(), visiting.stop()] == [0, 0]
        with here.run(proxy, "proxy", name="again") as serving:
            await ready(here.port, serving)
            assert serving.stop() == 0
        logs = "".join((place / f"{name}.log").read_text() for name in ("proxy", "harvester", "again"))
        assert logs.count(here.key) == 1


def _compose_healthcheck(service: str) -> list[str]:
    """The command that the Compose file checks *service* with."""
    services = import_module("yaml").safe_load(COMPOSE.read_text())["services"]
    kind, *command = services[service]["healthcheck"]["test"]
    assert kind == "CMD"
    return [str(word) for word in command]


async def _is_shared(here: Setting, proxy: Image) -> None:
    """Another proxy on the same volume serves at once, with the same key."""
    other = a_free_port()
    with here.run(proxy, "proxy", name="other", FREEAICHAT_PORT=str(other)) as container:
        await ready(other, container)
        assert (await stream(other, here.key))[0].startswith("[gpt-4o-mini] You said: hi")


async def ready(port: int, container: Container, *, host: str = "127.0.0.1") -> None:
    """Wait until requests can be answered."""
    deadline = monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(f"http://{host}:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            assert container.process.poll() is None, container.log.read_text()
            assert monotonic() < deadline, container.log.read_text()
            await asyncio.sleep(0.05)


async def stream(port: int, key: str, *, said: str = "hi") -> tuple[str, float]:
    """The text of one streamed answer, and when its first piece came."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": said}]}
    headers = {"Authorization": f"Bearer {key}"}
    text, first = "", 0.0
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers, raise_for_status=True) as http,
        http.post("/v1/chat/completions", json=body) as answer,
    ):
        async for line in answer.content:
            if line.startswith(b"data: {"):
                text += json.loads(line.removeprefix(b"data: "))["choices"][0]["delta"].get("content") or ""
                first = first or monotonic() * bool(text)
            elif line == b"data: [DONE]\n":
                return text, first
    raise AssertionError(f"the stream ended early: {text}")


def _is_confined(container: Container) -> None:
    """The confinement is real, so that the checks mean something."""
    status = container.execute("cat", "/proc/self/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "Uid:\t1000\t1000\t1000\t1000" in status
    writable = "for place in / /etc /opt /usr /var; do test ! -w $place || echo $place; done; touch /opt/x || echo kept"
    assert container.execute("sh", "-c", writable) == "kept\n"
    assert container.execute("sh", "-c", "df -Pm /dev/shm | tail -n 1").split()[1] == "64"


async def _peak_memory(container: Container) -> float:
    """The most memory used at once until cancelled, in 10^6 bytes."""
    most = 0
    with suppress(asyncio.CancelledError):
        while True:
            with suppress(psutil.Error, IndexError):
                most = max(most, pss_bytes(container.everything()))
            await asyncio.sleep(0.05)
    return most / 10**6


async def _result(task: "asyncio.Task[float]") -> float:
    return await task
