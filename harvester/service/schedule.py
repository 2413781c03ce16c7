"""The only place that uses APScheduler: makes visits and renewals when they are due, for as long as it runs.

What is due when is decided in `policy.py` from what the store holds, and worked out anew whenever the store changes
and so at every heartbeat: an ask is heard at once, and a clock that was set back or slept is noticed.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Literal, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from harvester.service.policy import FAILURE_PAUSES, Known, next_renewal, next_visit
from harvester.service.renewal import renew_nonce
from shared.models import Outcome, Visit, VisitAsk
from shared.parsing import Site
from shared.processes import heartbeat
from shared.store import Store, StoreCorrupt, StoreError

SETTLE_SECONDS = 0.2  # changes of the store that come closer together are looked at as one
HOLD_SECONDS = 3.0  # after a visit that could not begin: another process visits, or the store is away
VISITS_LOOKED_AT = 10  # longer than any row of pauses

Kind = Literal["visit", "renewal"]

log = logging.getLogger(__name__)


class Visits(Protocol):
    """Who makes the visits: `harvester.service.visitor.Visitor`."""

    async def visit(self, site: Site, trigger: str) -> Visit | None:
        """Visit *site* now; None while somebody else does. Raises StoreError."""


class _Plan:
    """What the schedule remembers of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.is_start = True
        self.chance = _chance()
        self.answered: VisitAsk | None = None  # asks that came while the visit that answered them was under way
        self.held_until = 0.0  # monotonic
        self.faults = 0  # visits in a row that failed as nobody expected
        self.renewed_at = self.renewal_failed_at = 0.0  # Unix seconds
        self.under_way: set[Kind] = set()
        self.lock = asyncio.Lock()


class Schedule:
    """Runs for one process and its sites."""

    def __init__(self, sites: Sequence[Site], store: Store, visitor: Visits, *, interval: float) -> None:
        """*interval*: seconds between visits."""
        self._plans = [_Plan(site) for site in sites]
        self._store = store
        self._visitor = visitor
        self._interval = interval
        self._tasks: asyncio.TaskGroup
        self._is_stopping = False  # no task may be begun any more; jobs may still come due
        self._beat_at = 0.0  # Unix seconds
        self._is_away = False  # the store
        self._told: set[str] = set()  # what lasts, and is not to be told again and again
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    async def run(self) -> None:
        """Visit and renew until cancelled; then end what is under way first."""
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
                await self._leave_sign()
                await asyncio.sleep(heartbeat.EVERY_SECONDS)
        finally:
            with suppress(StoreError):
                await heartbeat.take_back(self._store, self._beat_at)

    async def _leave_sign(self) -> None:
        """Leave a heartbeat, which also tells whether the store can be written."""
        self._beat_at = time.time()
        try:
            await heartbeat.beat(self._store, self._beat_at)
        except StoreError as error:
            self._tell_away(f"no heartbeat: {error}")
            return
        if self._is_away:
            log.info("the store is back")
            self._is_away = False
            self._told.clear()

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        for plan in self._plans:
                            await self._plan_or_tell(plan)
                        if self._is_away or await heartbeat.is_missing(self._store, time.time()):
                            await self._leave_sign()
                        await asyncio.sleep(SETTLE_SECONDS)
            except StoreError as error:
                self._tell_away(f"the store is away: {error}")
            await asyncio.sleep(HOLD_SECONDS)

    def _tell_away(self, text: str) -> None:
        """Tell what cannot be done without the store: once, until it is back."""
        self._is_away = True
        self._tell_once(logging.ERROR, text)

    def _tell_once(self, level: int, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            log.log(level, "%s", text)

    async def _plan_or_tell(self, plan: _Plan) -> None:
        """As `_plan`; what is damaged of one site holds up no other."""
        try:
            await self._plan(plan)
        except StoreCorrupt as error:
            self._tell_once(logging.ERROR, f"{plan.site.origin} is not visited: {error}")

    async def _plan(self, plan: _Plan) -> None:
        """Put the next visit and the next renewal of a site on the timetable. Raises StoreError."""
        async with plan.lock:  # who looked at the store earlier also writes the timetable earlier
            origin, now = plan.site.origin, time.time()
            ask = await self._store.pending_ask(origin)
            known = Known(
                state=await self._store.site_state(origin),
                visits=await self._store.visits(origin, limit=VISITS_LOOKED_AT),
                ask=None if ask == plan.answered else ask,
                page_url=plan.site.url,
            )
            if "visit" not in plan.under_way:
                due = next_visit(known, now=now, interval=self._interval, chance=plan.chance, is_start=plan.is_start)
                held_until = now + plan.held_until - time.monotonic()
                self._put("visit", plan, max(due.at, held_until) if due else None, due.trigger if due else "")
            if "renewal" not in plan.under_way:
                times = {"renewed_at": plan.renewed_at, "failed_at": plan.renewal_failed_at}
                current = known.state.current if known.state else None
                at = next_renewal(current, now=now, interval=self._interval, **times) if current else None
                self._put("renewal", plan, at)

    def _put(self, kind: Kind, plan: _Plan, at: float | None, *details: str) -> None:
        job_id = f"{kind} {plan.site.origin}"
        if at is None:
            if self._scheduler.get_job(job_id):
                self._scheduler.remove_job(job_id)
            return
        moment = datetime.fromtimestamp(at, UTC)
        arguments = (kind, plan, *details)
        self._scheduler.add_job(self._begin, "date", run_date=moment, args=arguments, id=job_id, replace_existing=True)

    async def _begin(self, kind: Kind, plan: _Plan, *details: str) -> None:
        if kind not in plan.under_way and not self._is_stopping:
            plan.under_way.add(kind)
            self._tasks.create_task(self._visit(plan, *details) if kind == "visit" else self._renew(plan))

    async def _visit(self, plan: _Plan, trigger: str) -> None:
        visit, is_held = None, f"{plan.site.origin} is being visited by somebody else"
        try:
            visit = await self._visitor.visit(plan.site, trigger)
            if visit is None:
                self._tell_once(logging.INFO, is_held)
                plan.held_until = time.monotonic() + HOLD_SECONDS
            else:
                self._told.discard(is_held)
                plan.is_start, plan.chance = False, _chance()
                if visit.outcome is Outcome.CAPTURED:
                    plan.answered = await self._store.pending_ask(plan.site.origin)
        except StoreError as error:
            self._tell_away(f"{plan.site.origin} was not visited, or the visit not recorded: {error}")
            plan.held_until = time.monotonic() + HOLD_SECONDS
        except Exception:
            # Whatever it was, the other sites' visits go on. It may have come to no record, which pauses are made from.
            pause = FAILURE_PAUSES[min(plan.faults, len(FAILURE_PAUSES) - 1)]
            log.exception("the visit of %s failed; the next one in %.0f s at the earliest", plan.site.origin, pause)
            plan.faults += 1
            plan.held_until = time.monotonic() + pause
        else:
            plan.faults = 0
        plan.under_way.discard("visit")
        await self._replan(plan)
        if visit is not None and visit.outcome is not Outcome.CAPTURED:
            self._tell_next(plan)

    def _tell_next(self, plan: _Plan) -> None:
        """Whoever sees that a visit failed wants to know when it is tried again."""
        job = self._scheduler.get_job(f"visit {plan.site.origin}")
        if job is not None:
            seconds = max(job.next_run_time.timestamp() - time.time(), 0.0)
            log.info("next visit of %s in %.0f s", plan.site.origin, seconds)

    async def _renew(self, plan: _Plan) -> None:
        try:
            state = await self._store.site_state(plan.site.origin)
            is_renewed = state is None or await renew_nonce(self._store, state.current)
        except StoreError as error:
            self._tell_away(f"the nonce of {plan.site.origin} was not renewed: {error}")
            is_renewed = False
        except Exception:
            log.exception("the nonce of %s was not renewed", plan.site.origin)
            is_renewed = False
        plan.renewed_at, plan.renewal_failed_at = (time.time(), 0.0) if is_renewed else (0.0, time.time())
        plan.under_way.discard("renewal")
        await self._replan(plan)

    async def _replan(self, plan: _Plan) -> None:
        """As `_plan_or_tell`; without the store the next heartbeat does it."""
        try:
            await self._plan_or_tell(plan)
        except StoreError as error:
            self._tell_away(f"the store is away: {error}")


def _chance() -> float:
    return random.uniform(-1.0, 1.0)  # noqa: S311  (spreads visits; hides nothing)
