"""A fake browser tab: pages as plain values, and a record of the calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from harvester.visit.errors import Navigating, PageFailed
from harvester.visit.requests import PageRequest
from harvester.visit.tab import PageDetails, Snapshot
from shared.plugins.requests import PluginRequest

SITE = "https://chat.example"
AJAX = f"{SITE}/wp-admin/admin-ajax.php"
GUEST = "92acdaec-b6ed-44d5-98a4-d8e7af32a8e6"
CONFIG = json.dumps({"botId": 5, "ajaxUrl": AJAX, "nonce": "written", "postId": 18})


def page(url: str = f"{SITE}/", *configs: str, **values: object) -> Snapshot:
    """What a finished page with these attributes shows."""
    plain = Snapshot(
        url=url,
        status=200,
        headers={},
        loads=1,
        ready=True,
        title="A page",
        configs=[{"data-config": config} for config in configs],
        links=[],
        resources=[],
        frames=[],
        refreshes=[],
        scripts=3,
        stored={"aipkit_guest_uuid": GUEST},
        fields=[],
        is_blocked=False,
        withheld=False,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def plugin_request(action: str, *, url: str = AJAX, status: int = 200, **fields: object) -> PageRequest:
    """A request of the chat's own script."""
    form = urlencode({"action": action, **fields}).encode()
    return PageRequest(url, "application/x-www-form-urlencoded", form, status)


@dataclass
class FakeTab:
    """A tab that shows *pages* by their address. *failures*: what going to an address raises, once each."""

    pages: dict[str, Snapshot]
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    nonce_answers: list[tuple[int, bytes] | Exception] = field(default_factory=list)
    got: list[tuple[int, bytes] | Exception] = field(default_factory=list)  # what further addresses answer
    typing_causes: list[PageRequest] = field(default_factory=list)
    interruptions: int = 0  # snapshots that fail because the page is just changing
    visited: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    shown: PageDetails = field(default_factory=lambda: PageDetails(text="", buttons=[], asks_password=False))
    scrolls: int = 0
    is_wide: bool = False
    _requests: list[PageRequest] = field(default_factory=list)

    async def go(self, url: str, *, timeout: float) -> None:
        self.visited.append(url)
        if self.failures.get(url):
            raise self.failures[url].pop(0)
        if url not in self.pages:
            raise PageFailed("nothing there")

    async def snapshot(self) -> Snapshot:
        if self.interruptions:
            self.interruptions -= 1
            raise Navigating("changing")
        return self.pages[self.visited[-1]]

    async def details(self) -> PageDetails:
        return self.shown

    async def scroll(self) -> bool:
        self.scrolls += 1
        return self.scrolls < 3

    def allow_third_party(self) -> None:
        self.is_wide = True

    async def user_agent(self) -> str:
        return "Test/1.0"

    async def set_storage(self, items: Mapping[str, str]) -> None:
        self.kept |= items

    async def cookie_header(self, url: str) -> str:
        return f"for={url}"

    async def identity(self) -> str:
        return json.dumps({"kept": self.kept})

    async def post(self, request: PluginRequest, *, timeout: float) -> tuple[int, bytes]:
        answer = self.nonce_answers.pop(0) if self.nonce_answers else (400, b"0")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        answer = self.got.pop(0) if self.got else PageFailed("nothing there")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def type_message(self, text: str, *, mark: str, opener: str, timeout: float) -> bool:
        self.typed.append(text)
        self._requests += self.typing_causes
        return True

    def requests(self) -> list[PageRequest]:
        return list(self._requests)

    async def screenshot(self) -> bytes | None:
        return None
