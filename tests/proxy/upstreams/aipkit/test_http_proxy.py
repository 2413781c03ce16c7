"""Sites that only an HTTP proxy of the environment leads to, by names that only it knows."""

from base64 import b64encode
from pathlib import Path

import pytest

from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable
from shared.site_client.proxies import InvalidProxy, no_proxy_hosts, parse_proxy, proxy_for, proxy_to
from tests.certificates import Authorities
from tests.http_proxy import http_proxy
from tests.proxy.running import running_proxy
from tests.proxy.upstreams.aipkit.test_renewal import NONCE
from tests.site import SimulatedSite

NAME = "chat.example"


@pytest.mark.parametrize("is_tls", [False, True])
async def test_turns_and_renewals_go_through_it_and_the_site_sees_no_password(
    trusted: Authorities,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_tls: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tls = trusted.context() if is_tls else None
    async with SimulatedSite(name=NAME, tls=tls) as site, http_proxy({NAME: site.port}, "me:hu:sh") as between:
        monkeypatch.setenv("HTTPS_PROXY" if is_tls else "HTTP_PROXY", f"http://me:hu%3Ash@127.0.0.1:{between.port}")
        async with running_proxy(site, tmp_path) as proxy:
            site.rotate_nonce()
            answer = await proxy.chat("hi")

    assert answer.text.startswith("[gpt-4o-mini] You said: hi")
    assert site.request_counts[NONCE] == 1
    assert between.count("CONNECT chat.example" if is_tls else "POST http://chat.example") >= 1
    assert not any("Proxy-Authorization" in seen.headers for seen in site.requests)
    assert "hu:sh" not in caplog.text
    assert "hu%3Ash" not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_us_is_reported_without_the_password(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with http_proxy({}, "me:right") as between, SiteClient() as client:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:hush@127.0.0.1:{between.port}")
        with pytest.raises(SiteUnreachable, match=f"127.0.0.1:{between.port} refuses.*407") as exc_info:
            await client.post(f"{scheme}://{NAME}/", b"", {}, timeout=5.0)

    assert "hush" not in str(exc_info.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks5://me:hush@127.0.0.1:1", "socks5"),
        ("http://me:hush@127.0.0.1:x", "cannot be read"),
        ("http://127.0.0.1:1", "cannot connect to the HTTP proxy 127.0.0.1:1 "),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_reported_and_not_gone_around(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    async with SiteClient() as client:
        with pytest.raises(SiteUnreachable, match=message) as exc_info:
            await client.get(f"https://{NAME}/", {}, timeout=5.0)

    assert "hush" not in str(exc_info.value)


async def test_this_machine_and_what_no_proxy_names_are_reached_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimulatedSite() as site, SimulatedSite(host="0.0.0.0") as named, SiteClient() as client:
        async with http_proxy({"0.0.0.0": named.port, "127.0.0.1": site.port}) as between:
            monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{between.port}")
            for url in (site.url, named.url):
                assert (await client.get(url, {}, timeout=5.0)).status == 200
            assert len(between.heads) == 1
        monkeypatch.setenv("NO_PROXY", "other.example,0.0.0.0")
    async with SimulatedSite(host="0.0.0.0") as named, SiteClient() as client:
        assert (await client.get(named.url, {}, timeout=5.0)).status == 200


@pytest.mark.parametrize(
    ("host", "is_around"),
    [("10.1.2.3", True), ("fd00::5", True), ("fd00:0:1::5", True), ("11.1.2.3", False), ("ten.example", False)],
)
def test_whole_networks_may_be_reached_without_it(
    monkeypatch: pytest.MonkeyPatch, host: str, *, is_around: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://between.example:3128")
    monkeypatch.setenv("NO_PROXY", "other.example, 10.0.0.0/8,[fd00::5],fd00:0:1::/48")

    assert (proxy_for("http", host, 80) is None) is is_around


@pytest.mark.parametrize(
    ("value", "address", "login"),
    [
        ("between.example", "between.example:80", ""),
        ("http://between.example:3128", "between.example:3128", ""),
        ("HTTP://me:p%40ss@[fd00::5]:3128/", "[fd00::5]:3128", "me:p@ss"),
        ("me@between.example:1", "between.example:1", "me:"),
        ("http://:pass@between.example", "between.example:80", ":pass"),
    ],
)
def test_a_proxy_is_read_as_it_is_commonly_written(value: str, address: str, login: str) -> None:
    found = parse_proxy(value)
    told = {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}

    assert (str(found), found.headers) == (address, told)


@pytest.mark.parametrize("value", ["http://", "https://between.example", "http://between.example:99999"])
def test_what_is_no_proxy_is_refused(value: str) -> None:
    with pytest.raises(InvalidProxy):
        parse_proxy(value)


def test_each_scheme_has_its_proxy_or_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "one.example:1")
    monkeypatch.setenv("ALL_PROXY", "all.example:2")
    monkeypatch.setenv("NO_PROXY", "site.example:8443")

    assert str(proxy_to("https://chat.example/")) == "one.example:1"
    assert str(proxy_to("http://chat.example/")) == "all.example:2"
    assert str(proxy_to("https://site.example/")) == "one.example:1"
    for here in (
        "https://site.example:8443/",
        "http://localhost/",
        "http://a.localhost/",
        "http://127.1.2.3/",
        "http://[::1]",
    ):
        assert proxy_to(here) is None


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("", []),
        (" .a.example,b.example ,,", ["a.example", ".a.example", "b.example", ".b.example"]),
        ("*", ["*"]),
        ("*.a.example", ["*.a.example"]),
    ],
)
def test_a_browser_goes_around_it_to_the_same_hosts(
    monkeypatch: pytest.MonkeyPatch, value: str, hosts: list[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", value)

    assert no_proxy_hosts() == hosts
