"""Several proxies behind the load balancer of the Compose file."""

import asyncio
import signal
from pathlib import Path
from time import monotonic

import aiohttp

from tests.figures import figure
from tests.image.container import Image
from tests.image.main_job import MODEL, ready, setting, stream
from tests.image.tools import balancer
from tests.ports import a_free_port

KEY = "sk-balanced"
HEADERS = {"Authorization": f"Bearer {KEY}"}


async def balanced(image: Image, tools: Path, place: Path) -> None:
    """Streams come through as they are made, a client that leaves is noticed, and a dead proxy is passed over."""
    async with setting(place, image) as here:
        settings = {"FREEAICHAT_API_KEY": KEY}
        port = a_free_port()
        with (
            here.run(image, "harvester", name="harvester"),
            here.run(image, "proxy", name="first", FREEAICHAT_HOST="127.0.0.1", **settings) as first,
            here.run(image, "proxy", name="second", FREEAICHAT_HOST="127.0.0.2", **settings) as second,
            balancer(tools, port=port, proxies_port=here.port),
        ):
            await ready(here.port, first)
            await ready(here.port, second, host="127.0.0.2")
            begun = monotonic()
            _, first_piece = await stream(port, KEY, said="[[delay:0.2]] [[tokens:10]]")
            assert monotonic() - first_piece > (monotonic() - begun) / 2, "the stream came at once, not as it was made"
            await asyncio.gather(*(stream(port, KEY) for _ in range(10)))
            served = [container.log.read_text().count("chat/completions 200") for container in (first, second)]
            figure("balancer: 11 streams over two proxies", " + ".join(map(str, served)))
            assert min(served) > 0
            await _leave(port)
            async with asyncio.timeout(5):
                while (await here.site.state())["open_streams"]:
                    await asyncio.sleep(0.05)
            second.first.send_signal(signal.SIGKILL)
            second.process.wait()  # while it dies, it may take a request with it
            for _ in range(10):
                await stream(port, KEY)


async def _leave(port: int) -> None:
    """Begin a long stream, and go away after its first bytes."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[delay:1]] [[tokens:60]]"}]}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=HEADERS, raise_for_status=True) as http:
        answer = await http.post("/v1/chat/completions", json=body)
        await answer.content.readany()
        answer.close()
