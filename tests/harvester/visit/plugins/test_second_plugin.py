"""A visit of a chat that another kind of plugin made, which the visit knows by its interface alone."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harvester.job import Job, Limits
from harvester.visit import plugins
from harvester.visit.plugins.interface import Chat, ChatConfig, Plugin
from harvester.visit.run import StepTimer, visit
from harvester.visit.tab import Snapshot, Tab
from shared.models import Bot
from shared.plugins.requests import form_request
from tests.harvester.fake_tab import CONFIG, SITE, FakeTab, page

FRONT, OTHER = f"{SITE}/", f"{SITE}/chat/"
READING = ChatConfig(ajax_url=f"{SITE}/wp-json", nonce="", session_id="", post_id=0, bots=(Bot(id=1, name="B"),))


class SecondPlugin(Plugin):
    """Its chats say `data-system`, and get their nonce by one request."""

    kind = "second"
    mark = "second"
    attributes = ("data-system",)
    storage_prefix = "second-"
    request_mark = "/second/v1/"

    def is_readable(self, page: Snapshot) -> bool:
        return any("data-system" in config for config in page.configs)

    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        return {"second-guest": session_id}

    def chat(self, tab: Tab, page: Snapshot, job: Job) -> "SecondChat":
        return SecondChat(tab, page, job)


class SecondChat(Chat):
    async def read(self) -> None:
        pass

    async def confirm(self) -> ChatConfig:
        _, nonce = await self._tab.post(form_request(f"{SITE}/wp-json/second/v1/start", {}), timeout=1)
        return replace(READING, nonce=nonce.decode(), session_id="guest")


@pytest.fixture(autouse=True)
def _both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "PLUGINS", (*plugins.PLUGINS, SecondPlugin()))


def second_plugin_page(url: str, **values: object) -> Snapshot:
    return replace(page(url, **values), configs=[{"data-system": "{}"}])


async def captured(tab: FakeTab) -> tuple[str, str, str, tuple[Bot, ...]]:
    job = Job(site=SITE, page_url=FRONT, remembered_url=OTHER, browser="", limits=Limits(chat=0.2, glance=0.1))
    capture, _ = await visit(job, tab, StepTimer())
    found = capture.credentials
    return found.ajax_url, found.nonce, found.session_id, capture.bots


async def test_a_chat_of_a_second_plugin_is_captured_like_any_other() -> None:
    tab = FakeTab({FRONT: second_plugin_page(FRONT)}, nonce_answers=[(200, b"n")])

    assert await captured(tab) == (READING.ajax_url, "n", "guest", READING.bots)
    assert tab.kept == {"second-guest": "guest"}
    assert tab.typed == []


async def test_a_chat_field_is_enough_to_recognize_the_plugin() -> None:
    tab = FakeTab({FRONT: page(FRONT, fields=["second"])}, nonce_answers=[(200, b"n")])

    assert (await captured(tab))[1] == "n"


async def test_the_page_that_was_remembered_decides_whose_chat_is_taken() -> None:
    tab = FakeTab({FRONT: second_plugin_page(FRONT), OTHER: page(OTHER, CONFIG)}, nonce_answers=[(400, b"0")])

    assert (await captured(tab))[1] == "written"
