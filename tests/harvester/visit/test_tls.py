"""Visits and renewals of a site that speaks TLS, and of one that only an HTTP proxy leads to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from harvester.service.renewal import renew_nonce
from harvester.service.workspace import Workspace
from shared.models import Outcome
from shared.store import Store
from tests.certificates import Authorities
from tests.harvester.service.test_renewal import current, stored
from tests.harvester.visiting import NONCE_ACTION, Visits
from tests.http_proxy import http_proxy
from tests.relay import relay
from tests.site import SimulatedSite

NAME = "chat.example"
FAULTS = [("expired", True, "expired", "DATE_INVALID"), ("good", False, "intermediate", "AUTHORITY_INVALID")]


@pytest.fixture
def known(trusted: Authorities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authorities:
    """Authorities that the browser trusts too."""
    trusted.trust_in_browser(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return trusted


@pytest.fixture
def visiting(store: Store, workspace: Workspace) -> Callable[[SimulatedSite], Visits]:
    """Visits of a site."""
    return partial(Visits, store, workspace)


async def test_a_visit_captures_over_tls_and_the_nonce_is_renewed(
    store: Store, workspace: Workspace, known: Authorities
) -> None:
    async with SimulatedSite(tls=known.context()) as site:
        captured = await Visits(store, workspace, site).capture()
        requests = site.request_counts[NONCE_ACTION]
        site.rotate_nonce()

        assert await renew_nonce(store, captured)
    assert captured.ajax_url.startswith("https://")
    assert requests == 1  # in the visit, by the browser's driver
    assert (await current(store, site)).nonce == site.nonce


async def test_a_handshake_that_is_cut_once_is_bridged(store: Store, workspace: Workspace, known: Authorities) -> None:
    async with SimulatedSite(tls=known.context()) as site, relay(site.port) as front:
        site.front_port = front.port
        front.cut_answers(1)
        captured = await Visits(store, workspace, site).capture()
        site.rotate_nonce()
        front.cut_answers(1)

        assert await renew_nonce(store, captured)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_certificate_that_is_not_accepted_is_reported(
    store: Store, workspace: Workspace, known: Authorities, fault: tuple[str, bool, str, str]
) -> None:
    certificate, chain, reason, shown = fault
    async with SimulatedSite(tls=known.context(certificate, chain=chain)) as site:
        visit = await Visits(store, workspace, site).make()
        assert not await renew_nonce(store, await stored(store, site, "0"))

    assert visit.outcome is Outcome.SITE_ERROR
    assert shown in visit.reason
    ask = await store.pending_ask(site.origin)
    assert ask is not None
    assert reason in ask.reason


@pytest.mark.parametrize("user", ["", "me:hu:sh"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_visit_and_a_renewal_go_through_an_http_proxy(
    visiting: Callable[[SimulatedSite], Visits],
    known: Authorities,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    user: str,
) -> None:
    tls = known.context() if scheme == "https" else None
    async with SimulatedSite(name=NAME, tls=tls) as site, http_proxy({NAME: site.port}, user) as between:
        userinfo = "me:hu%3Ash@" if user else ""
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{userinfo}127.0.0.1:{between.port}")
        visits = visiting(site)
        captured = await visits.capture()
        assert site.request_counts[NONCE_ACTION] == 1
        site.rotate_nonce()

        assert await renew_nonce(visits.store, captured)
    assert not any("Proxy-Authorization" in seen.headers for seen in site.requests)


async def test_a_proxy_that_cannot_be_used_is_reported_without_its_password(
    visiting: Callable[[SimulatedSite], Visits], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@127.0.0.1:1")
    async with SimulatedSite(name=NAME) as site:
        visit = await visiting(site).make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "only http:// can be used" in visit.reason
    assert "hush" not in visit.reason
