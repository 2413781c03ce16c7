"""One visit, as one ordinary guest: find the chat, read what the page gives, have the site confirm the nonce."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.browser_errors import is_from_cache
from harvester.visit.past_cache import fresh_nonce, is_taken
from harvester.visit.plugins.aipkit import Reading, read_page, session_of
from harvester.visit.search import find_chat
from harvester.visit.tab import Look, NotNow, PageFailed, Tab
from harvester.visit.watch import POLL_SECONDS, RETRY_SECONDS, VisitFailed
from shared.models import Capture, Credentials, Outcome
from shared.plugins.aipkit.nonce import nonce_form, read_nonce

NONCE_SECONDS = 8.0  # longest wait for the nonce action
TYPING_SECONDS = 2.0  # longest wait for a field to take the message
_STALE = (
    "the site refuses the nonce in its own page, which a page cache has kept too long. Its plugin (older than 2.3.41) "
    "hands out none, and neither the page past the cache nor core REST has a fresh one; only the site's operator can "
    "mend that: by an update of the plugin, or by leaving the page out of the cache"
)
_MAY_BE_STALE = "the site hands out no nonce, and the page's own may be old: the page came from a cache"


class Steps:
    """Seconds spent in each step, and the step that is under way."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = ""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
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
    with steps.step("page"):
        found = await find_chat(tab, job)
        look = found.look
    with steps.step("read"):
        async with asyncio.timeout(job.limits.read):
            reading = await _read(job, tab, look)
    with steps.step("confirm"):
        async with asyncio.timeout(job.limits.confirm):
            reading = await _confirm(job, tab, look, reading)
            return await _capture(job, tab, look, reading), found.note


async def _read(job: Job, tab: Tab, look: Look) -> Reading:
    """All that the page and its requests tell; a message is typed only where that is not enough."""
    look = await _with_guest_id(tab, look, seconds=job.limits.guest_id)
    reading = read_page(look.url, look.configs, look.stored, tab.observed())
    if not reading.is_complete:
        reading = await _read_by_typing(job, tab, look, reading)
    if not reading.is_complete:
        raise VisitFailed(
            Outcome.NO_CHAT, f"{look.url} has a chat field, but neither the page nor its requests say how to use it"
        )
    return reading


async def _with_guest_id(tab: Tab, look: Look, *, seconds: float) -> Look:
    """The page once its script has made the guest id, or as it is where the script makes none."""
    deadline = time.monotonic() + seconds
    while not session_of(look.stored) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        try:
            look = await tab.look()
        except NotNow:
            continue
    return look


async def _confirm(job: Job, tab: Tab, look: Look, reading: Reading) -> Reading:
    """*reading* with a nonce that the site stands by. Raises `VisitFailed`.

    What the site hands out now is surest. Where it hands out none, the nonce is good if the site was seen to take it,
    or takes it now: the page may have come out of a cache, whether or not its headers say so. If it does not, the same
    page past the cache may have a better one. Only what is still open then is tried out with a typed message.
    """
    given = await _ask_nonce(tab, reading.ajax_url)
    if given:
        return replace(reading, nonce=given)
    if any(one.proves_nonce for one in tab.observed()):
        return reading
    taken = await is_taken(tab, reading.ajax_url, reading.nonce) if reading.nonce else None
    if taken:
        return reading
    if taken is False and (nonce := await fresh_nonce(tab, look.url, reading.ajax_url, reading.post_id)):
        return replace(reading, nonce=nonce)
    if taken is None and reading.nonce and not is_from_cache(look.headers):
        return reading
    reading = await _read_by_typing(job, tab, look, reading)
    if not any(one.proves_nonce for one in tab.observed()):
        raise VisitFailed(Outcome.SITE_ERROR, _STALE if taken is False else _MAY_BE_STALE)
    return reading


async def _ask_nonce(tab: Tab, ajax_url: str) -> str | None:
    """The nonce that the site hands out to this guest; None where it hands out none."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(PageFailed),
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )
    try:
        return read_nonce(*await retrying(tab.post_form, ajax_url, nonce_form(), timeout=NONCE_SECONDS))
    except (PageFailed, TimeoutError):
        return None


async def _read_by_typing(job: Job, tab: Tab, look: Look, reading: Reading) -> Reading:
    """Type one short message and read the requests that this causes, until they tell all or the time is over.

    Consent is never given here: a chat that asks for it gets no message.
    """
    if reading.needs_consent or not reading.greeting:
        return reading
    if not await tab.type_message(reading.greeting, timeout=TYPING_SECONDS):
        return reading
    deadline = time.monotonic() + job.limits.typed
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        reading = read_page(look.url, look.configs, look.stored, tab.observed())
        if reading.is_complete and reading.session_id and any(one.proves_nonce for one in tab.observed()):
            break
    return reading


async def _capture(job: Job, tab: Tab, look: Look, reading: Reading) -> Capture:
    # The guest stays who he is, also where the page forgets him or thinks of a new id for each visit.
    session_id = session_of(look.stored) or job.session_id or reading.session_id or str(uuid4())
    await tab.keep_guest_id(session_id)  # before the identity is read, which is to hold it
    now = time.time()
    return Capture(
        credentials=Credentials(
            site=job.site,
            ajax_url=reading.ajax_url,
            page_url=look.url.partition("#")[0],
            cookie=await tab.cookie_header(reading.ajax_url),  # after the nonce: the site may set one with it
            nonce=reading.nonce,
            session_id=session_id,
            post_id=reading.post_id,
            user_agent=await tab.user_agent(),
            source="visit",
            captured_at=now,
            nonce_checked_at=now,
        ),
        bots=reading.bots,
        identity=await tab.identity(),
    )
