"""From the page to an answer: what a visit with a real browser brings is enough for a client's turn."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from harvester.service.workspace import Workspace
from shared.secrets import private_dir
from shared.store import open_store
from tests.harvester.visiting import Visits
from tests.proxy.upstreams.ai_engine.engine import RESP, chat, running_engine_proxy
from tests.site import SimulatedSite
from tests.site_ai_engine import SimulatedAiEngine


@pytest.mark.parametrize(
    ("version", "model", "session"),
    [
        ("2.4.1", "gpt-4o", None),
        ("2.8.4", "gpt-4o-mini", "N/A"),
        ("3.2.5", "gpt-4o-mini", ""),
        ("3.8.1", "gpt-4o-mini", ""),
    ],
)
async def test_each_version_is_visited_and_asked_in_its_own_way(
    workspace: Workspace, tmp_path: Path, version: str, model: str, session: str | None
) -> None:
    private_dir(tmp_path)
    async with SimulatedAiEngine(base_path="/blog", plain_permalinks=True) as engine:
        engine.behaviour.version, engine.behaviour.discussions = version, True
        async with open_store(f"sqlite:///{tmp_path / 'freeaichat.db'}") as store:
            found = await Visits(store, workspace, cast(SimulatedSite, engine)).capture()
        async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
            first = await chat(proxy, "hello", model=RESP)
            engine.rotate_nonce(keep_previous=True)
            messages = ({"role": "user", "content": "hello"}, {"role": "assistant", "content": first.text}, "again")
            async with asyncio.timeout(10):  # until a turn goes on with what an answer before it brought
                while (turn := engine.requests_to("chats/submit")[-1]).headers["X-WP-Nonce"] != engine.nonce:
                    assert (await chat(proxy, *messages, model=RESP)).status == 200

    assert first.text.startswith(f"[{model}] You said: hello\n")
    assert engine.model_calls[-1].messages == [("user", "hello"), ("assistant", first.text), ("user", "again")]
    assert turn.body["session"] == (found.session_id if session == "" else session)
    assert bool(found.cookie) is (session == "")
    assert first.body["usage"]["prompt_tokens"] == 11  # as the provider told
    assert len(engine.requests_to("start_session")) == 1


async def test_what_a_visit_brought_answers_a_turn_as_the_page_would(workspace: Workspace, tmp_path: Path) -> None:
    private_dir(tmp_path)
    async with SimulatedAiEngine() as engine:
        async with open_store(f"sqlite:///{tmp_path / 'freeaichat.db'}") as store:
            found = await Visits(store, workspace, cast(SimulatedSite, engine)).capture()
        async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
            answer = await chat(proxy, "hello", model=RESP)

    (turn,) = engine.requests_to("chats/submit")
    assert answer.text.startswith("[gpt-4o-mini] You said: hello\n")
    assert (turn.headers["User-Agent"], turn.headers["Cookie"]) == (found.user_agent, found.cookie)
    assert turn.body["session"] == found.session_id
