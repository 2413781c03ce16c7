"""The chats' markup against the recorded page's attributes."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.site import SimulatedSite
from tests.site_checks.raw import get
from tests.site_checks.recordings import SAMPLES

RECORDED = [("inline", "all/", f"all-bot{number}") for number in (5, 6, 7, 8, 9, 11, 12)] + [
    ("popup", "", "home-bot16")
]


class Chats(HTMLParser):
    """Collects the elements that have a `data-config`, by the bot's id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "data-config" in values:
            self.found.append({"tag": tag} | values)

    def element(self, bot_id: str) -> dict[str, str]:
        """The first element of a bot."""
        return next(element for element in self.found if element["data-bot-id"] == bot_id)


@pytest.mark.parametrize(("page", "path", "sample"), RECORDED)
async def test_the_elements_attributes_are_the_recorded_ones(page: str, path: str, sample: str) -> None:
    recorded: dict[str, Any] = json.loads((SAMPLES / f"data-config-{sample}.json").read_text(encoding="utf-8"))
    async with SimulatedSite(page=page) as site:
        element = Chats((await get(site.url + path)).text).element(recorded["_element"]["data-bot-id"])
        of_this_site = {"ajaxUrl": site.ajax_url, "nonce": site.nonce}

    config = json.loads(element.pop("data-config"))

    assert element == recorded["_element"]
    assert config == recorded["config"] | of_this_site
    assert list(config) == list(recorded["config"])


async def test_a_page_can_hold_the_same_bot_twice_and_a_draft() -> None:
    async with SimulatedSite() as site:
        many = Chats((await get(site.url + "all/")).text).found
        draft = Chats((await get(site.url + "draft/")).text).found

    ids = [element["data-bot-id"] for element in many]
    assert ids.count("5") == 2
    assert len(set(ids)) == len(ids) - 1
    assert [element["data-bot-id"] for element in draft] == ["13", "5", "5"]
