"""One visit from start to end: claimed, run in a process of its own, stored and recorded."""

import base64
import logging
import time
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from uuid import uuid4

from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, stop_after_delay, wait_fixed

from harvester.job import ATTENDED, UNATTENDED, Job, Limits, Report
from harvester.service.saving import retry_unavailable, save_capture
from harvester.service.tasks import finish_uncancelled
from harvester.service.visit_processes import MARGIN_SECONDS, VisitProcesses
from harvester.service.workspace import Claim, Workspace, WorkspaceError
from shared.browsers import BrowserNotFound, find_browser, has_display
from shared.models import AIPKIT, VISIT_IN_PROGRESS, Cause, Credentials, Outcome, Visit
from shared.parsing import Site
from shared.serialization import from_json, to_json, to_plain
from shared.store import Store, StoreError
from shared.urls import is_same_site

CLAIM_MARGIN_SECONDS = 30.0  # more than a visit can take, for starting, storing and cleaning up
ATTEMPTS = 3  # with a browser that is killed or crashes
ATTEMPT_WITHIN_SECONDS = 20.0  # of the visit's start; no attempt starts later
ATTEMPT_PAUSE_SECONDS = 0.5
MAX_REASON = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Record:
    """The record of an ended visit, and the claim to release with it."""

    visit: Visit
    holder: str
    note: str  # the note of the visit in progress
    screenshot: bytes | None


class Visitor:
    """Visits sites for one store. One instance serves one process."""

    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        processes: VisitProcesses,
        *,
        browser: str,
        limits: Limits = UNATTENDED,
        is_headed: bool = False,
    ) -> None:
        """*browser*: the setting FREEAICHAT_BROWSER. *is_headed*: in a window, with time for a person."""
        self._store = store
        self._workspace = workspace
        self._processes = processes
        self._browser = browser
        self._limits = ATTENDED if is_headed else limits
        self._is_headed = is_headed
        self._unrecorded: dict[str, _Record] = {}  # by site: records that are not stored yet

    async def visit(self, site: Site, trigger: str, *, is_page_given: bool = False) -> Visit | None:
        """Visit *site* now and return the record; None while another process visits it.

        *is_page_given*: start at the site's URL, not at the page where the last capture found the chat. Once started, a
        visit is recorded with its outcome whatever happens, also when this call is cancelled. If the record could not
        be stored, the next call only stores it. Raises StoreError.
        """
        if (unrecorded := self._unrecorded.get(site.origin)) is not None:
            return await self._record(unrecorded)
        visit = _new_visit(site.origin, trigger)
        try:
            with self._workspace.claim(site.origin) as claim:
                if claim is None or not await self._begin(site.origin, claim):
                    return None
                return await self._visit(site, claim, visit, is_page_given=is_page_given)
        except WorkspaceError as error:
            report = Report(cause=Cause.NO_PLACE, reason=f"there is no place for the browser's files: {error}")
            return await self._record(_Record(_finished(visit, report, 0.0), holder="", note="", screenshot=None))

    async def _visit(self, site: Site, claim: Claim, visit: Visit, *, is_page_given: bool) -> Visit:
        # The claim is ours, so any earlier visit is over, wherever it ran. This one starts now, however long the store
        # took.
        visit = replace(visit, started_at=time.time())
        await self._record_killed(site.origin, holder="")
        note = to_json(visit)
        await self._store.set_note(VISIT_IN_PROGRESS.format(site=site.origin), note)
        started = time.monotonic()
        reports = [Report(cause=Cause.STOPPED, reason="the harvester was stopped during this visit")]
        try:
            await self._run(site, claim, reports, is_page_given=is_page_given)
        except StoreError as error:
            reports.append(Report(cause=Cause.STORE, reason=f"the visit cannot be prepared: {error}"))
        finally:
            visit = _finished(visit, reports[-1], time.monotonic() - started)
            screenshot = base64.b64decode(reports[-1].screenshot) or None
            await finish_uncancelled(self._record(_Record(visit, claim.holder, note, screenshot)))
        return visit

    async def recover(self, site: str) -> None:
        """Record a visit of *site* whose harvester was killed, so that pauses take it into account.

        Raises StoreError and `WorkspaceError`.
        """
        if not await self._store.get_note(VISIT_IN_PROGRESS.format(site=site)):
            return
        with self._workspace.claim(site) as claim:
            if claim is None or not await self._begin(site, claim):
                return  # it runs elsewhere, or its claim is still valid: the next visit records it
            await self._record_killed(site, claim.holder)

    async def _record_killed(self, site: str, holder: str) -> None:
        """Record the visit that was noted as in progress, if any, and release the claim of *holder*."""
        note = await self._store.get_note(VISIT_IN_PROGRESS.format(site=site))
        if not note:
            return
        try:
            visit = from_json(Visit, note)
        except ValueError:
            visit = _new_visit(site, "")
        await self._record(_Record(visit, holder, note, screenshot=None))

    async def _begin(self, site: str, claim: Claim) -> bool:
        ttl = self._limits.visit + MARGIN_SECONDS + ATTEMPT_WITHIN_SECONDS + CLAIM_MARGIN_SECONDS
        return await self._store.begin_visit(site, claim.holder, at=time.time(), ttl=ttl)

    async def _run(self, site: Site, claim: Claim, reports: list[Report], *, is_page_given: bool) -> None:
        """Append to *reports* as soon as there is one: a stored capture counts, even if closing is interrupted."""
        try:
            browser = find_browser(self._browser, full_only=self._is_headed)
        except BrowserNotFound as error:
            reports.append(Report(cause=Cause.NO_BROWSER, reason=str(error)))
            return
        if self._is_headed and not has_display():
            reason = "no window can be opened: there is no display here (neither DISPLAY nor WAYLAND_DISPLAY)"
            reports.append(Report(cause=Cause.NO_DISPLAY, reason=reason))
            return
        state = await self._store.site_state(site.origin)
        current = state.current if state else None
        job = await self._job(site, current, str(browser.path), is_page_given=is_page_given)
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda report: report.is_transient),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(ATTEMPT_WITHIN_SECONDS),
            wait=wait_fixed(ATTEMPT_PAUSE_SECONDS),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        await retrying(self._attempt, job, claim, current, reports)

    async def _job(self, site: Site, current: Credentials | None, browser: str, *, is_page_given: bool) -> Job:
        """The job for a visit by the guest with the *current* credentials, if there are any."""
        # A page given by hand may be another than that of the settings, where the next visit starts again.
        is_other_page = is_page_given and current is not None and current.named_url != site.url
        return Job(
            site=site.origin,
            page_url=site.url,
            named_url="" if is_other_page else site.url,
            remembered_url="" if is_page_given else _remembered(site, current),
            browser=browser,
            is_headed=self._is_headed,
            identity=await self._store.identity(site.origin),
            session_id=_guest_id(current),
            limits=self._limits,
        )

    async def _attempt(self, job: Job, claim: Claim, base: Credentials | None, reports: list[Report]) -> Report:
        count_before = len(reports)
        try:
            async with self._processes.run(job, claim) as report:
                reports.append(await self._store_capture(report, base))
        except OSError as error:
            if len(reports) > count_before:
                log.error("what a visit left was not all tidied up; the next one does that: %s", error)
            else:
                reason = f"the visit's process cannot be started: {error}"
                reports.append(Report(cause=Cause.NOT_STARTED, reason=reason))
        return reports[-1]

    async def _store_capture(self, report: Report, base: Credentials | None) -> Report:
        """Store the capture, before the visit counts as captured."""
        if report.capture is None:
            return report
        try:
            await save_capture(self._store, report.capture, base=base)
        except StoreError as error:
            reason = f"what was captured could not be stored: {error}"
            return replace(report, cause=Cause.STORE, reason=reason)
        return report

    async def _record(self, record: _Record) -> Visit:
        visit = record.visit
        self._unrecorded[visit.site] = record
        await retry_unavailable(
            lambda: self._store.end_visit(visit, record.holder, note=record.note, screenshot=record.screenshot)
        )
        del self._unrecorded[visit.site]
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in visit.steps.items())
        log.log(
            logging.INFO if visit.outcome is Outcome.CAPTURED else logging.WARNING,
            "visit of %s (%s): %s in %.1f s%s%s",
            visit.site,
            visit.trigger,
            visit.outcome,
            visit.seconds,
            f" ({steps})" if steps else "",
            f": {visit.reason}" if visit.reason else "",
            extra={"fields": to_plain(visit)},
        )
        return visit


def _new_visit(site: str, trigger: str) -> Visit:
    """A visit that starts now; unchanged, it is the record of one that was killed."""
    return Visit(
        id=str(uuid4()),
        site=site,
        started_at=time.time(),
        seconds=0.0,
        outcome=Cause.STOPPED.outcome,
        cause=Cause.STOPPED,
        reason="the harvester was killed during this visit",
        trigger=trigger,
    )


def _finished(visit: Visit, report: Report, seconds: float) -> Visit:
    return replace(
        visit,
        seconds=round(seconds, 3),
        outcome=report.outcome,
        cause=report.cause or "",
        reason=report.reason[:MAX_REASON],
        retry_after=report.retry_after,
        steps=report.steps,
        screenshot=bool(report.screenshot),
    )


def _guest_id(current: Credentials | None) -> str:
    """The guest id of AIPKit's script; AI Engine has one in a cookie instead."""
    return current.session_id if current is not None and current.plugin == AIPKIT else ""


def _remembered(site: Site, current: Credentials | None) -> str:
    """Where the last capture found the chat; "" if the configured page is or leads there, it is no longer on the site,
    or the settings may have named another page then."""
    if current is None or current.named_url != site.url or not current.is_on_other_page(site.url):
        return ""
    host, found_at = urlsplit(site.url).hostname or "", urlsplit(current.page_url).hostname or ""
    return current.page_url if is_same_site(host, found_at) else ""
