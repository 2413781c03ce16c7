"""The scheduler of visits and renewals, and the only module that uses APScheduler.

`policy.py` decides what is due when, from the store. The schedule is recomputed whenever the store changes, and so at
every heartbeat: asks take effect at once, and so does a clock that was set, or went on while the machine slept.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from math import inf
from typing import Literal, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from harvester.service.policy import FAILURE_PAUSES, SiteFacts, next_renewal, next_visit
from harvester.service.renewal import renew_nonce
from shared.models import Outcome, Visit, VisitAsk
from shared.parsing import Site
from shared.processes import heartbeat
from shared.store import Store, StoreCorrupt, StoreError

SETTLE_SECONDS = 0.2  # debounce of store changes
CLOCK_SECONDS = 1.0  # between two looks at the clock
HOLD_SECONDS = 3.0  # retry after a visit that could not start: another process visits, or the store is unavailable
VISITS_LOOKED_AT = 10  # longer than any row of pauses

Kind = Literal["visit", "renewal"]

log = logging.getLogger(__name__)


class SiteVisitor(Protocol):
    """The interface of `harvester.service.visitor.Visitor`."""

    async def visit(self, site: Site, trigger: str) -> Visit | None:
        """Visit *site* now; None while another process does. Raises StoreError."""


class _SitePlan:
    """The state of one site's schedule."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.is_start = True
        self.jitter = _random_jitter()
        self.answered: VisitAsk | None = None  # asks that came during the visit that answered them
        self.held_until = 0.0  # monotonic
        self.exceptions = 0  # unexpected exceptions in a row
        self.renewed_at = self.renewal_failed_at = 0.0  # Unix seconds
        self.running: set[Kind] = set()
        self.lock = asyncio.Lock()


class Schedule:
    """The schedule of all sites of one process."""

    def __init__(self, sites: Sequence[Site], store: Store, visitor: SiteVisitor, *, interval: float) -> None:
        """*interval*: seconds between visits."""
        self._plans = [_SitePlan(site) for site in sites]
        self._store = store
        self._visitor = visitor
        self._interval = interval
        self._tasks: asyncio.TaskGroup
        self._is_stopping = False  # no new tasks; jobs may still come due
        self._beat_at = -inf  # Unix seconds
        self._is_unavailable = False  # the store
        self._logged: set[str] = set()  # messages about lasting conditions, logged once
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    async def run(self) -> None:
        """Visit and renew until cancelled; then wait for running tasks to end."""
        self._scheduler.start()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._beat())
                try:
                    await self._follow()
                finally:
                    self._is_stopping = True
        finally:
            # Only now: it would cancel what its jobs had started, and jobs only start tasks of ours.
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # it ends in the loop's next round

    async def _beat(self) -> None:
        try:
            while True:
                # By the clock: that of the loop, by which it sleeps, stands still while the machine does.
                if abs(time.time() - self._beat_at) >= heartbeat.EVERY_SECONDS:
                    await self._write_heartbeat()
                await asyncio.sleep(min(CLOCK_SECONDS, heartbeat.EVERY_SECONDS))
        finally:
            with suppress(StoreError):
                await heartbeat.withdraw(self._store, self._beat_at)

    async def _write_heartbeat(self) -> None:
        """Write a heartbeat, which also shows whether the store is writable."""
        self._beat_at = time.time()
        try:
            await heartbeat.beat(self._store, self._beat_at)
        except StoreError as error:
            self._log_unavailable(f"no heartbeat: {error}")
            return
        if self._is_unavailable:
            log.info("the store is back")
            self._is_unavailable = False
            self._logged.clear()

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        for plan in self._plans:
                            await self._plan_or_log(plan)
                        if self._is_unavailable or await heartbeat.is_missing(self._store, time.time()):
                            await self._write_heartbeat()
                        await asyncio.sleep(SETTLE_SECONDS)
            except StoreError as error:
                self._log_unavailable(f"the store is away: {error}")
            await asyncio.sleep(HOLD_SECONDS)

    def _log_unavailable(self, text: str) -> None:
        """Log what failed for want of the store: once, until it is back."""
        self._is_unavailable = True
        self._log_once(logging.ERROR, text)

    def _log_once(self, level: int, text: str) -> None:
        if text not in self._logged:
            self._logged.add(text)
            log.log(level, "%s", text)

    async def _plan_or_log(self, plan: _SitePlan) -> None:
        """As `_plan`; damaged data of one site does not block others."""
        try:
            await self._plan(plan)
        except StoreCorrupt as error:
            self._log_once(logging.ERROR, f"{plan.site.origin} is not visited: {error}")

    async def _plan(self, plan: _SitePlan) -> None:
        """Schedule the next visit and the next renewal of a site. Raises StoreError."""
        async with plan.lock:  # keeps reads of the store and updates of the schedule in order
            origin, now = plan.site.origin, time.time()
            ask = await self._store.pending_ask(origin)
            facts = SiteFacts(
                state=await self._store.site_state(origin),
                visits=await self._store.visits(origin, limit=VISITS_LOOKED_AT),
                ask=None if ask == plan.answered else ask,
                page_url=plan.site.url,
            )
            if "visit" not in plan.running:
                due = next_visit(facts, now=now, interval=self._interval, jitter=plan.jitter, is_start=plan.is_start)
                held_until = time.time() + plan.held_until - time.monotonic()
                self._schedule_job("visit", plan, max(due.at, held_until) if due else None, due.trigger if due else "")
            if "renewal" not in plan.running:
                times = {"renewed_at": plan.renewed_at, "failed_at": plan.renewal_failed_at}
                current = facts.state.current if facts.state else None
                at = next_renewal(current, now=now, interval=self._interval, **times) if current else None
                self._schedule_job("renewal", plan, at)

    def _schedule_job(self, kind: Kind, plan: _SitePlan, at: float | None, *details: str) -> None:
        job_id = f"{kind} {plan.site.origin}"
        if at is None:
            if self._scheduler.get_job(job_id):
                self._scheduler.remove_job(job_id)
            return
        moment = datetime.fromtimestamp(at, UTC)
        arguments = (kind, plan, *details)
        self._scheduler.add_job(self._begin, "date", run_date=moment, args=arguments, id=job_id, replace_existing=True)

    async def _begin(self, kind: Kind, plan: _SitePlan, *details: str) -> None:
        if kind not in plan.running and not self._is_stopping:
            plan.running.add(kind)
            self._tasks.create_task(self._visit(plan, *details) if kind == "visit" else self._renew(plan))

    async def _visit(self, plan: _SitePlan, trigger: str) -> None:
        visit, is_held = None, f"{plan.site.origin} is being visited by somebody else"
        try:
            visit = await self._visitor.visit(plan.site, trigger)
            if visit is None:
                self._log_once(logging.INFO, is_held)
                plan.held_until = time.monotonic() + HOLD_SECONDS
            else:
                self._logged.discard(is_held)
                plan.is_start, plan.jitter = False, _random_jitter()
                if visit.outcome is Outcome.CAPTURED:
                    plan.answered = await self._store.pending_ask(plan.site.origin)
        except StoreError as error:
            self._log_unavailable(f"{plan.site.origin} was not visited, or the visit not recorded: {error}")
            plan.held_until = time.monotonic() + HOLD_SECONDS
        except Exception:
            # The visits of other sites go on. There may be no record, from which `policy.py` derives the pause.
            pause = FAILURE_PAUSES[min(plan.exceptions, len(FAILURE_PAUSES) - 1)]
            log.exception("the visit of %s failed; the next one in %.0f s at the earliest", plan.site.origin, pause)
            plan.exceptions += 1
            plan.held_until = time.monotonic() + pause
        else:
            plan.exceptions = 0
        plan.running.discard("visit")
        await self._replan(plan)
        if visit is not None and visit.outcome is not Outcome.CAPTURED:
            self._log_next(plan)

    def _log_next(self, plan: _SitePlan) -> None:
        """Log when a failed visit is retried."""
        job = self._scheduler.get_job(f"visit {plan.site.origin}")
        if job is not None:
            seconds = max(job.next_run_time.timestamp() - time.time(), 0.0)
            log.info("next visit of %s in %.0f s", plan.site.origin, seconds)

    async def _renew(self, plan: _SitePlan) -> None:
        try:
            state = await self._store.site_state(plan.site.origin)
            is_renewed = state is None or await renew_nonce(self._store, state.current)
        except StoreError as error:
            self._log_unavailable(f"the nonce of {plan.site.origin} was not renewed: {error}")
            is_renewed = False
        except Exception:
            log.exception("the nonce of %s was not renewed", plan.site.origin)
            is_renewed = False
        plan.renewed_at, plan.renewal_failed_at = (time.time(), 0.0) if is_renewed else (0.0, time.time())
        plan.running.discard("renewal")
        await self._replan(plan)

    async def _replan(self, plan: _SitePlan) -> None:
        """As `_plan_or_log`; if the store is unavailable, the next heartbeat does it."""
        try:
            await self._plan_or_log(plan)
        except StoreError as error:
            self._log_unavailable(f"the store is away: {error}")


def _random_jitter() -> float:
    return random.uniform(-1.0, 1.0)  # noqa: S311  (spreads visits; hides nothing)
