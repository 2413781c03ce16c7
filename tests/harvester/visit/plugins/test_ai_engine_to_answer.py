"""From the page to an answer: what a visit with a real browser brings is enough for a client's turn."""

from pathlib import Path
from typing import cast

from harvester.service.workspace import Workspace
from shared.secrets import private_dir
from shared.store import open_store
from tests.harvester.visiting import Visits
from tests.proxy.upstreams.ai_engine.engine import RESP, chat, engine_proxy
from tests.site import SimulatedSite
from tests.site_ai_engine import SimulatedAiEngine


async def test_what_a_visit_brought_answers_a_turn_as_the_page_would(workspace: Workspace, tmp_path: Path) -> None:
    private_dir(tmp_path)
    async with SimulatedAiEngine() as engine:
        async with open_store(f"sqlite:///{tmp_path / 'freeaichat.db'}") as store:
            found = await Visits(store, workspace, cast(SimulatedSite, engine)).capture()
        async with engine_proxy(engine, data_dir=tmp_path) as proxy:
            answer = await chat(proxy, "hello", model=RESP)

    (turn,) = engine.asked("chats/submit")
    assert answer.text.startswith("[gpt-4o-mini] You said: hello\n")
    assert (turn.headers["User-Agent"], turn.headers["Cookie"]) == (found.user_agent, found.cookie)
    assert turn.body["session"] == found.session_id
