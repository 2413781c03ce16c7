"""Claiming, storing and recording a visit."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harvester.service.visitor import _guest_id
from harvester.service.workspace import Workspace
from shared.models import AI_ENGINE, Outcome, Visit
from shared.parsing import Site
from shared.serialization import to_json
from shared.store import Store, StoreError, StoreUnavailable
from tests.harvester.one_browser import OneBrowser
from tests.harvester.visiting import Visits, wait_for
from tests.shared.samples import credentials
from tests.site import SimulatedSite

VISIT_IN_PROGRESS = "harvester.visit: {}"


class ForgetfulStore:
    """A store that drops captures."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save_capture(self, *_: object, **__: object) -> None:
        raise StoreError("the disk is full")


class FullStore:
    """A store that can be read, and takes what is small; nothing else fits in while it is full."""

    def __init__(self, store: Store) -> None:
        self.is_full = True
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if self.is_full and name in {"save_capture", "end_visit"}:
            raise StoreUnavailable("there is no space left")
        return getattr(self._store, name)


class LostStore:
    """A store whose answer is lost once it has recorded a visit, and that cannot be reached after that."""

    def __init__(self, store: Store) -> None:
        self.is_lost = False
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if self.is_lost:
            raise StoreUnavailable("no route to host")
        return getattr(self._store, name)

    async def end_visit(self, *arguments: Any, **more: Any) -> None:
        await self.__getattr__("end_visit")(*arguments, **more)
        self.is_lost = True
        raise StoreUnavailable("no route to host")


class RecordingStore:
    """A store that records when it granted a visit."""

    def __init__(self, store: Store) -> None:
        self.told_at = 0.0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def begin_visit(self, *arguments: Any, **more: Any) -> bool:
        is_ours = await self._store.begin_visit(*arguments, **more)
        self.told_at = time.time()
        return is_ours


def killed(site: str) -> Visit:
    """The note of a visit whose harvester was killed a minute ago."""
    return Visit(
        id="killed",
        site=site,
        started_at=time.time() - 60,
        seconds=0,
        outcome=Outcome.BROWSER_ERROR,
        reason="the harvester was killed during this visit",
        trigger="schedule",
    )


async def test_a_site_that_another_machine_visits_is_left_alone(visits: Visits, site: SimulatedSite) -> None:
    await visits.store.begin_visit(site.origin, "another machine", at=time.time(), ttl=60)

    assert await visits.visitor.visit(Site(site.origin, site.url), "schedule") is None
    assert site.requests == []
    assert await visits.store.visits() == []


async def test_a_capture_that_cannot_be_stored_does_not_count(
    store: Store, workspace: Workspace, site: SimulatedSite, browser: OneBrowser
) -> None:
    visit = await Visits(ForgetfulStore(store), workspace, site, browser).make()  # type: ignore[arg-type]

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "the disk is full" in visit.reason
    assert await store.visits() == [visit]
    assert await store.site_state(site.origin) is None


async def test_a_visit_that_the_store_cannot_take_is_recorded_by_the_next_call(
    store: Store,
    workspace: Workspace,
    site: SimulatedSite,
    browser: OneBrowser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harvester.service.saving.STORE_SECONDS", 0.1)
    full = FullStore(store)
    visits = Visits(full, workspace, site, browser)
    with pytest.raises(StoreUnavailable):
        await visits.make()
    with pytest.raises(StoreUnavailable):
        await visits.make()
    assert await store.visits() == []

    full.is_full = False
    unsaved, next_one = await visits.make(), await visits.make()

    assert (unsaved.outcome, "no space left" in unsaved.reason) == (Outcome.BROWSER_ERROR, True)
    assert next_one.outcome is Outcome.CAPTURED
    assert await store.visits() == [next_one, unsaved]
    assert site.request_counts["/"] == 2  # the site was left alone while the store was full


async def test_without_a_place_for_the_browsers_files_the_visit_is_recorded_with_what_to_do(
    visits: Visits, site: SimulatedSite
) -> None:
    visits.workspace.path.write_text("in the way")

    visit = await visits.make()
    visits.workspace.path.unlink()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "set TMPDIR" in visit.reason
    assert await visits.store.visits() == [visit]
    await visits.capture()


async def test_a_process_that_cannot_be_started_is_recorded(
    own_visits: Visits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    visit = await own_visits.make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "cannot be started" in visit.reason


async def test_what_cannot_be_cleaned_up_now_is_cleaned_up_by_the_next_visit_and_the_capture_counts(
    own_visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    opened = psutil.Process().num_fds()
    with monkeypatch.context() as patched:
        patched.setattr("harvester.service.visit_processes.kill_process_tree", fail)
        await own_visits.capture()
    assert len(list(own_visits.workspace.path.glob("visit-*"))) == 1

    await own_visits.capture()
    await wait_for(lambda: psutil.Process().num_fds() <= opened, "no file is kept open")


async def test_a_visit_whose_harvester_was_killed_is_recorded_once(visits: Visits, site: SimulatedSite) -> None:
    lost = killed(site.origin)
    await visits.store.set_note(VISIT_IN_PROGRESS.format(site.origin), to_json(lost))

    await visits.visitor.recover(site.origin)
    await visits.visitor.recover(site.origin)

    assert await visits.store.visits() == [lost]
    assert await visits.visitor.visit(Site(site.origin, site.url), "schedule") is not None  # the claim is free again


async def test_a_visit_that_goes_on_elsewhere_is_not_taken_for_a_killed_one(
    visits: Visits, site: SimulatedSite
) -> None:
    await visits.store.set_note(VISIT_IN_PROGRESS.format(site.origin), to_json(killed(site.origin)))
    await visits.store.begin_visit(site.origin, "another machine", at=time.time(), ttl=60)

    await visits.visitor.recover(site.origin)

    assert await visits.store.visits() == []


async def test_a_visit_that_goes_on_in_another_process_here_is_not_taken_for_a_killed_one(
    visits: Visits, site: SimulatedSite
) -> None:
    await visits.store.set_note(VISIT_IN_PROGRESS.format(site.origin), to_json(killed(site.origin)))
    with visits.workspace.claim(site.origin):
        await visits.visitor.recover(site.origin)

    assert await visits.store.visits() == []


async def test_a_visit_that_was_killed_with_its_machine_is_recorded_by_the_next(
    visits: Visits, site: SimulatedSite
) -> None:
    lost = killed(site.origin)
    await visits.store.set_note(VISIT_IN_PROGRESS.format(site.origin), to_json(lost))

    making = asyncio.create_task(visits.make())
    while not await visits.store.visits():
        await asyncio.sleep(0.01)
    assert not await visits.store.begin_visit(site.origin, "another machine", at=time.time(), ttl=60)
    recorded = await making

    assert [visit.id for visit in await visits.store.visits()] == [recorded.id, lost.id]
    assert not await visits.store.get_note(VISIT_IN_PROGRESS.format(site.origin))


async def test_a_visit_that_was_recorded_is_no_killed_one_though_its_harvester_lost_the_store(
    store: Store,
    workspace: Workspace,
    site: SimulatedSite,
    browser: OneBrowser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harvester.service.saving.STORE_SECONDS", 0.1)
    lost: Any = LostStore(store)
    cut_off, other = Visits(lost, workspace, site, browser), Visits(store, workspace, site, browser).restarted()
    with pytest.raises(StoreUnavailable):
        await cut_off.make()
    recorded = await store.visits()
    await other.capture()

    lost.is_lost, lost.end_visit = False, store.end_visit
    await cut_off.make()  # which makes sure that it was recorded

    assert [visit.outcome for visit in recorded] == [Outcome.CAPTURED]
    assert (await store.visits())[1:] == recorded
    assert [visit.outcome for visit in await store.visits()] == [Outcome.CAPTURED] * 2


async def test_a_note_that_makes_no_sense_counts_as_a_killed_visit(visits: Visits, site: SimulatedSite) -> None:
    await visits.store.set_note(VISIT_IN_PROGRESS.format(site.origin), "{")

    await visits.visitor.recover(site.origin)

    assert [visit.outcome for visit in await visits.store.visits()] == [Outcome.BROWSER_ERROR]


async def test_a_visit_that_was_overtaken_leaves_the_note_of_the_other(visits: Visits, site: SimulatedSite) -> None:
    """It was paused for longer than its claim stood, and another machine began one meanwhile."""
    note = VISIT_IN_PROGRESS.format(site.origin)
    visiting = asyncio.create_task(visits.make())
    while not await visits.store.get_note(note):
        await asyncio.sleep(0.01)
    other_note = to_json(killed(site.origin))
    await visits.store.set_note(note, other_note)

    await visiting

    assert await visits.store.get_note(note) == other_note


async def test_asks_made_before_the_visit_are_answered_by_it(visits: Visits, site: SimulatedSite) -> None:
    await visits.store.ask_visit(site.origin, "refused", at=time.time() - 1)

    await visits.capture()

    assert await visits.store.pending_ask(site.origin) is None


async def test_a_visit_begins_when_the_store_has_let_it(
    store: Store, workspace: Workspace, site: SimulatedSite, browser: OneBrowser
) -> None:
    telling: Any = RecordingStore(store)

    visit = await Visits(telling, workspace, site, browser).make()

    assert visit.outcome is Outcome.CAPTURED
    assert visit.started_at >= telling.told_at > 0


def test_the_session_of_another_plugin_is_no_guest_id_of_aipkits() -> None:
    kept = credentials()
    assert [_guest_id(each) for each in (None, kept, replace(kept, plugin=AI_ENGINE))] == ["", kept.session_id, ""]
