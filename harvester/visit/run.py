"""One visit: find the chat, read its configuration, confirm the nonce."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harvester.job import Job
from harvester.visit.plugins.interface import ChatConfig
from harvester.visit.search import FoundChat, find_chat
from harvester.visit.tab import Tab
from shared.models import Capture, Credentials, Step


class StepTimer:
    """Measures the seconds of each step; `current` is the running one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = ""

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        """Time a step."""
        self.current, started = name, time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - started, 3)


async def visit(job: Job, tab: Tab, steps: StepTimer) -> tuple[Capture, str]:
    """Run the visit in an open tab; returns the capture, and a note for the operator, or "".

    Raises `VisitFailed`, TimeoutError and what `Tab` raises.
    """
    with steps.step(Step.PAGE):
        found = await find_chat(tab, job)
    chat = found.plugin.chat(tab, found.page, job)
    with steps.step(Step.READ):
        async with asyncio.timeout(job.limits.read):
            await chat.read()
    with steps.step(Step.CONFIRM):
        async with asyncio.timeout(job.limits.confirm):
            config = await chat.confirm()
            return await _capture(job, tab, found, config), found.note


async def _capture(job: Job, tab: Tab, found: FoundChat, config: ChatConfig) -> Capture:
    # Before the identity is read, which is to hold it.
    await tab.set_storage(found.plugin.guest_storage(config.session_id))
    now = time.time()
    return Capture(
        credentials=Credentials(
            site=job.site,
            plugin=found.plugin.kind,
            ajax_url=config.ajax_url,
            page_url=found.page.url.partition("#")[0],
            named_url=job.named_url,
            is_led_to=job.named_url == job.page_url and not found.note,
            cookie=await tab.cookie_header(config.ajax_url),  # after the nonce: the site may set one with it
            nonce=config.nonce,
            session_id=config.session_id,
            post_id=config.post_id,
            user_agent=await tab.user_agent(),
            source="visit",
            captured_at=now,
            nonce_checked_at=now,
        ),
        bots=config.bots,
        identity=await tab.identity(),
    )
