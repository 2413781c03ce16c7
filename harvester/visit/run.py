"""One visit, as one ordinary guest: find the chat, read what the page gives, have the site confirm the nonce."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harvester.job import Job
from harvester.visit.plugins.interface import Reading
from harvester.visit.search import Found, find_chat
from harvester.visit.tab import Tab
from shared.models import Capture, Credentials, Step


class Steps:
    """Seconds spent in each step, and the step that is under way."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = ""

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        """Time a step."""
        self.current, begun = name, time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - begun, 3)


async def visit(job: Job, tab: Tab, steps: Steps) -> tuple[Capture, str]:
    """Make the visit in an open tab: what it brings, and what the operator should know of it, if anything.

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
            reading = await chat.confirm()
            return await _capture(job, tab, found, reading), found.note


async def _capture(job: Job, tab: Tab, found: Found, reading: Reading) -> Capture:
    await tab.keep(found.plugin.guest_storage(reading.session_id))  # before the identity is read, which is to hold it
    now = time.time()
    return Capture(
        credentials=Credentials(
            site=job.site,
            plugin=found.plugin.kind,
            ajax_url=reading.ajax_url,
            page_url=found.page.url.partition("#")[0],
            named_url=job.named_url,
            is_led_to=job.named_url == job.page_url and not found.note,
            cookie=await tab.cookie_header(reading.ajax_url),  # after the nonce: the site may set one with it
            nonce=reading.nonce,
            session_id=reading.session_id,
            post_id=reading.post_id,
            user_agent=await tab.user_agent(),
            source="visit",
            captured_at=now,
            nonce_checked_at=now,
        ),
        bots=reading.bots,
        identity=await tab.identity(),
    )
