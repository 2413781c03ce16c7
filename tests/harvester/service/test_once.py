"""`python -m harvester once`: one visit, one line of JSON, a documented exit code."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.models import Outcome
from shared.store import open_store
from tests.harvester.running import Place, harvester, once
from tests.harvester.visiting import processes_of, wait_for
from tests.site import SimulatedSite


@pytest.fixture
async def place(tmp_path: Path, site: SimulatedSite) -> AsyncIterator[Place]:
    """A place that is left clean: no process, no temporary directory."""
    place = Place(tmp_path, site.url)
    yield place
    assert processes_of(place.workspace) == []
    assert not place.workspace.exists()


async def test_a_capture_of_the_page_that_is_named_is_told_with_its_secrets_masked(
    place: Place, site: SimulatedSite
) -> None:
    site.behaviour.page_cookies = ["secret_cookie=verysecretvalue; Path=/"]

    code, told, log = await once(place, "--site", f"{site.url}all/")

    assert code == 0
    assert told["credentials"]["post_id"] == 19
    assert told["visit"]["outcome"] == "captured"
    assert told["visit"]["trigger"] == "command"
    assert told["credentials"]["page_url"] == f"{site.url}all/"
    assert len(told["bots"]) > 5
    async with open_store(place.store_url) as store:
        state = await store.site_state(site.origin)
    assert state is not None
    for secret in (state.current.nonce, state.current.session_id, "verysecretvalue"):
        assert secret not in str(told) + log


async def test_any_other_outcome_is_exit_code_1(place: Place, site: SimulatedSite) -> None:
    site.behaviour.page = "challenge"

    code, told, _ = await once(place)

    assert code == 1
    assert told["visit"]["outcome"] == "challenge"
    assert told["visit"]["screenshot"] is True
    assert told["credentials"] is None
    assert told["bots"] == []


@pytest.mark.parametrize(
    ("settings", "arguments", "reason"),
    [
        ({"FREEAICHAT_HARVEST_INTERVAL": "soon"}, (), "FREEAICHAT_HARVEST_INTERVAL"),
        ({"FREEAICHAT_STORE": "mysql://x"}, (), "FREEAICHAT_STORE"),
        ({}, ("--site", "ftp://x"), "not a page address"),
    ],
)
async def test_settings_that_make_no_sense_are_exit_code_2(
    place: Place, settings: dict[str, str], arguments: tuple[str, ...], reason: str
) -> None:
    code, told, log = await once(place, *arguments, **settings)

    assert code == 2
    assert told == {}
    assert reason in log
    assert "Traceback" not in log


async def test_a_store_that_is_no_store_is_exit_code_2_and_left_alone(place: Place) -> None:
    file = place.data_dir / "freeaichat.db"
    file.write_bytes(b"not a database" * 100)

    code, _, log = await once(place)

    assert code == 2
    assert str(file) in log
    assert file.read_bytes() == b"not a database" * 100


async def test_while_another_visit_is_under_way_it_is_exit_code_3(place: Place, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 30
    async with harvester(place):
        await wait_for(lambda: site.request_counts["/"], "the page was asked for")

        code, told, log = await once(place)

    assert code == 3
    assert told == {}
    assert "under way" in log


async def test_a_window_without_a_display_is_refused_with_the_reason(place: Place, tmp_path: Path) -> None:
    full = tmp_path / "chromium"
    full.write_text("#!/bin/sh\n")
    full.chmod(0o755)
    nowhere = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "FREEAICHAT_BROWSER": str(full)}

    code, told, _ = await once(place, "--headed", **nowhere)

    assert code == 1
    assert told["visit"]["outcome"] == Outcome.BROWSER_ERROR
    assert "display" in told["visit"]["reason"]


async def test_a_headless_shell_is_never_used_for_a_window(place: Place, tmp_path: Path) -> None:
    shell = tmp_path / "chromium-headless-shell"
    shell.write_text("#!/bin/sh\n")
    shell.chmod(0o755)
    machine = {"PATH": os.devnull, "HOME": str(tmp_path), "FREEAICHAT_BROWSER": str(shell)}

    code, told, _ = await once(place, "--headed", **machine)

    assert code == 1
    assert "full browser" in told["visit"]["reason"]
