"""`python -m harvester once`: one visit, one line of JSON, a documented exit code."""

import os
from pathlib import Path

import pytest

from shared.models import Outcome
from shared.store import open_store
from tests.harvester.running import Installation, harvester, once
from tests.harvester.visiting import wait_for
from tests.site import SimulatedSite


async def test_a_capture_of_the_page_that_is_named_is_reported_with_its_secrets_masked(
    installation: Installation, site: SimulatedSite
) -> None:
    site.behaviour.page_cookies = ["secret_cookie=verysecretvalue; Path=/"]

    code, report, log = await once(installation, "--site", f"{site.url}all/")

    assert code == 0
    assert report["credentials"]["post_id"] == 19
    assert report["visit"]["outcome"] == "captured"
    assert report["visit"]["trigger"] == "command"
    assert report["credentials"]["page_url"] == f"{site.url}all/"
    assert len(report["bots"]) > 5
    async with open_store(installation.store_url) as store:
        state = await store.site_state(site.origin)
    assert state is not None
    for secret in (state.current.nonce, state.current.session_id, "verysecretvalue"):
        assert secret not in str(report) + log


async def test_any_other_outcome_is_exit_code_1(installation: Installation, site: SimulatedSite) -> None:
    site.behaviour.page = "challenge"

    code, report, _ = await once(installation)

    assert code == 1
    assert report["visit"]["outcome"] == "challenge"
    assert report["visit"]["screenshot"] is True
    assert report["credentials"] is None
    assert report["bots"] == []


@pytest.mark.parametrize(
    ("settings", "arguments", "reason"),
    [
        ({"FREEAICHAT_HARVEST_INTERVAL": "soon"}, (), "FREEAICHAT_HARVEST_INTERVAL"),
        ({"FREEAICHAT_STORE": "mysql://x"}, (), "FREEAICHAT_STORE"),
        ({}, ("--site", "ftp://x"), "not a page address"),
    ],
)
async def test_settings_that_make_no_sense_are_exit_code_2(
    installation: Installation, settings: dict[str, str], arguments: tuple[str, ...], reason: str
) -> None:
    code, report, log = await once(installation, *arguments, **settings)

    assert code == 2
    assert report == {}
    assert reason in log
    assert "Traceback" not in log


async def test_a_store_that_is_no_store_is_exit_code_2_and_left_alone(installation: Installation) -> None:
    file = installation.data_dir / "freeaichat.db"
    file.write_bytes(b"not a database" * 100)

    code, _, log = await once(installation)

    assert code == 2
    assert str(file) in log
    assert file.read_bytes() == b"not a database" * 100


async def test_while_another_visit_is_under_way_it_is_exit_code_3(
    installation: Installation, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation):
        await wait_for(lambda: site.request_counts["/"], "the page was asked for")

        code, report, log = await once(installation)

    assert code == 3
    assert report == {}
    assert "under way" in log


async def test_a_window_without_a_display_is_refused_with_the_reason(
    installation: Installation, tmp_path: Path
) -> None:
    full = tmp_path / "chromium"
    full.write_text("#!/bin/sh\n")
    full.chmod(0o755)
    no_display = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "FREEAICHAT_BROWSER": str(full)}

    code, report, _ = await once(installation, "--headed", **no_display)

    assert code == 1
    assert report["visit"]["outcome"] == Outcome.BROWSER_ERROR
    assert "display" in report["visit"]["reason"]


async def test_a_headless_shell_is_never_used_for_a_window(installation: Installation, tmp_path: Path) -> None:
    shell = tmp_path / "chromium-headless-shell"
    shell.write_text("#!/bin/sh\n")
    shell.chmod(0o755)
    machine = {"PATH": os.devnull, "HOME": str(tmp_path), "FREEAICHAT_BROWSER": str(shell)}

    code, report, _ = await once(installation, "--headed", **machine)

    assert code == 1
    assert "full browser" in report["visit"]["reason"]
