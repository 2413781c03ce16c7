"""A proxy in front of the simulated AI Engine site, alone or beside one with the other plugin."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from shared.models import AI_ENGINE, Capture, Credentials
from shared.plugins.ai_engine.page import PARAMS, SYSTEM, read_chats
from shared.plugins.ai_engine.routes import START_SESSION
from shared.plugins.ai_engine.session import read_session
from shared.plugins.markup import elements_in
from shared.secrets import private_dir
from shared.store import open_store
from tests.proxy.running import NOW, RunningProxy, VisitedSite, running_proxy
from tests.site_ai_engine import SimulatedAiEngine

RESP, CC, SHORT, VISION = "gpt-4o-mini", "llama", "short", "vision-视觉"  # names of the site's bots


async def chat(proxy: RunningProxy, *messages: dict[str, Any] | str, model: str = RESP, **fields: Any) -> Any:
    """As `RunningProxy.chat`, of a bot of this site."""
    return await proxy.chat(*messages, model=model, **fields)


async def streamed(proxy: RunningProxy, text: str, **fields: Any) -> list[Any]:
    """The events of a streamed answer."""
    body = {"model": RESP, "messages": [{"role": "user", "content": text}], "stream": True, **fields}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        events = (await response.text()).removesuffix("\n\n").split("\n\n")
    return [event if "[DONE]" in event else json.loads(event.removeprefix("data: ")) for event in events]


def text_of(events: list[Any]) -> str:
    """The text in the events of an answer."""
    chunks = [event for event in events if isinstance(event, dict) and event.get("choices")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


async def capture_engine(site: SimulatedAiEngine, page: str = "chat/") -> Capture:
    """Return what a visit of *page* would capture, read over plain HTTP."""
    async with aiohttp.ClientSession() as http:
        async with http.get(site.url + page) as response:
            chats = read_chats(elements_in(await response.text(), (PARAMS, SYSTEM)))
        async with http.post(site.rest_url + START_SESSION) as response:
            session = read_session(response.status, await response.read())
            cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in response.cookies.items())
    assert chats is not None
    credentials = Credentials(
        site=site.origin,
        plugin=AI_ENGINE,
        ajax_url=chats.rest_url,
        page_url=site.url + page,
        cookie=cookie,
        nonce=session.nonce if session else chats.nonce,
        session_id=session.session_id if session else "",
        post_id=chats.context_id,
        user_agent="Visitor/1.0",
        source="visit",
        captured_at=NOW,
        nonce_checked_at=NOW,
    )
    return Capture(credentials=credentials, bots=chats.bots, identity="{}")


@asynccontextmanager
async def running_engine_proxy(
    *sites: VisitedSite, data_dir: Path, capture: Capture | None = None, **settings: Any
) -> AsyncIterator[RunningProxy]:
    """Run a proxy in front of *sites*, in this order, with a stored capture of each.

    *capture*: of the AI Engine sites, instead of what their pages tell.
    """
    engines = [site for site in sites if isinstance(site, SimulatedAiEngine)]
    private_dir(data_dir)
    async with open_store(f"sqlite:///{data_dir / 'freeaichat.db'}") as store:
        for engine in engines:
            if await store.site_state(engine.origin) is None:
                await store.save_capture(capture or await capture_engine(engine), base=0)
    async with running_proxy(sites[0], data_dir, more_sites=sites[1:], **settings) as proxy:
        yield proxy
