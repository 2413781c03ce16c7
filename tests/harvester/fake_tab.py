"""A tab without a browser: pages as plain values, and a record of what was done in it."""

import json
from dataclasses import dataclass, field, replace

from harvester.visit.requests import Observed
from harvester.visit.tab import Look, NotNow, PageFailed, Signs

SITE = "https://chat.example"
AJAX = f"{SITE}/wp-admin/admin-ajax.php"
GUEST = "92acdaec-b6ed-44d5-98a4-d8e7af32a8e6"
CONFIG = json.dumps({"botId": 5, "ajaxUrl": AJAX, "nonce": "written", "postId": 18})


def page(url: str = f"{SITE}/", *configs: str, **values: object) -> Look:
    """What a finished page with these attributes shows."""
    plain = Look(
        url=url,
        status=200,
        headers={},
        loads=1,
        ready=True,
        title="A page",
        configs=list(configs),
        links=[],
        resources=[],
        frames=[],
        refreshes=[],
        scripts=3,
        stored={"aipkit_guest_uuid": GUEST},
        box=False,
        withheld=False,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


@dataclass
class FakeTab:
    """A tab that shows *pages* by their address. *failures*: what going to an address raises, once each."""

    pages: dict[str, Look]
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    nonce_answers: list[tuple[int, bytes] | Exception] = field(default_factory=list)
    typing_causes: list[Observed] = field(default_factory=list)
    interruptions: int = 0  # looks that fail because the page is just changing
    went: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    kept: str = ""
    shown: Signs = field(default_factory=lambda: Signs(text="", buttons=[], asks_password=False))
    scrolls: int = 0
    is_wide: bool = False
    _requests: list[Observed] = field(default_factory=list)

    async def go(self, url: str, *, timeout: float) -> None:
        self.went.append(url)
        if self.failures.get(url):
            raise self.failures[url].pop(0)
        if url not in self.pages:
            raise PageFailed("nothing there")

    async def look(self) -> Look:
        if self.interruptions:
            self.interruptions -= 1
            raise NotNow("changing")
        return self.pages[self.went[-1]]

    async def signs(self) -> Signs:
        return self.shown

    async def scroll(self) -> bool:
        self.scrolls += 1
        return self.scrolls < 3

    def widen(self) -> None:
        self.is_wide = True

    async def user_agent(self) -> str:
        return "Test/1.0"

    async def keep_guest_id(self, session_id: str) -> None:
        self.kept = session_id

    async def cookie_header(self, url: str) -> str:
        return f"for={url}"

    async def identity(self) -> str:
        return json.dumps({"kept": self.kept})

    async def post_form(self, url: str, form: dict[str, str], *, timeout: float) -> tuple[int, bytes]:
        answer = self.nonce_answers.pop(0) if self.nonce_answers else (400, b"0")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        raise PageFailed("nothing there")

    async def type_message(self, text: str, *, timeout: float) -> bool:
        self.typed.append(text)
        self._requests += self.typing_causes
        return True

    def observed(self) -> list[Observed]:
        return list(self._requests)

    async def screenshot(self) -> bytes | None:
        return None
