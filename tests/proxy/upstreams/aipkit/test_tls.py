"""Turns of a site that speaks TLS, as real ones do."""

import asyncio
import ssl
from pathlib import Path

import pytest
import uvloop

from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable
from tests.certificates import Authorities
from tests.proxy.running import running_proxy
from tests.proxy.upstreams.aipkit.test_renewal import NONCE
from tests.relay import relay
from tests.site import SimulatedSite


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_turns_and_renewals_go_over_both_versions(
    trusted: Authorities, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async with SimulatedSite(tls=trusted.context(version=version)) as site, running_proxy(site, tmp_path) as proxy:
        first = await proxy.chat("hi")
        site.rotate_nonce()
        second = await proxy.chat("my picture", "[[tokens:300]]")

    assert first.text.startswith("[gpt-4o-mini] You said: hi")
    assert "word300" in second.text
    assert site.request_counts[NONCE] == 1


async def test_a_handshake_that_is_cut_once_is_bridged(trusted: Authorities, tmp_path: Path) -> None:
    async with SimulatedSite(tls=trusted.context()) as site, relay(site.port) as front:
        site.front_port = front.port
        async with running_proxy(site, tmp_path) as proxy:
            front.cut_answers(1)
            answer = await proxy.chat("hi")

    assert answer.text.startswith("[gpt-4o-mini] You said: hi")
    assert len(site.model_calls) == 1


FAULTS = [("expired", True, "certificate has expired"), ("good", False, "leaves out an intermediate certificate")]


@pytest.mark.parametrize(("certificate", "chain", "expected"), FAULTS)
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_certificate_that_is_not_accepted_is_reported(
    trusted: Authorities, certificate: str, chain: bool, expected: str, loop_factory: type[asyncio.AbstractEventLoop]
) -> None:
    async def ask() -> None:
        async with SimulatedSite(tls=trusted.context(certificate, chain=chain)) as site, SiteClient() as client:
            with pytest.raises(SiteUnreachable, match=expected):
                await client.post(site.ajax_url, b"", {}, timeout=5.0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(ask())


async def test_a_client_is_told_of_a_certificate_that_has_expired(
    trusted: Authorities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda tries: 0.0)
    async with SimulatedSite(tls=trusted.context()) as good:
        port = good.port
        async with running_proxy(good, tmp_path) as proxy:
            await good.close()
            async with SimulatedSite(tls=trusted.context("expired"), port=port):
                answer = await proxy.chat("hi")

    assert answer.status >= 500
    assert "certificate has expired" in answer.body["error"]["message"]


async def test_authorities_that_are_not_named_are_not_trusted(authorities: Authorities) -> None:
    async with SimulatedSite(tls=authorities.context()) as site, SiteClient() as client:
        with pytest.raises(SiteUnreachable, match="certificate is not accepted"):
            await client.get(site.url, {}, timeout=5.0)
