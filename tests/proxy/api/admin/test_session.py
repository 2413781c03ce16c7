"""`/admin/session`: a browser signs in once, and its cookie opens what the key opens, for our own page alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from proxy.access import sessions
from proxy.api.admin import service as administration
from shared.admin import key_admin
from shared.admin.keys import parse_new_key
from shared.store import open_store
from tests.proxy.admin_client import COOKIE, MASTER, browse, call, signed_in
from tests.proxy.running import RunningProxy, running_proxy
from tests.redis_server import RedisServer
from tests.site import SimulatedSite

TURN = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}]}
PROOF = {"Sec_Fetch_Site": "same-origin", "x_freeaichat_csrf": "1"}


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


async def create_key(proxy: RunningProxy, name: str = "app", **fields: Any) -> str:
    return str((await call(proxy, "POST", "/admin/keys", {"name": name, **fields})).body["key"])


async def session_info(proxy: RunningProxy, session: str) -> Any:
    return (await browse(proxy, session, "GET", "/admin/session")).body


async def wait_until_ended(proxy: RunningProxy, session: str) -> None:
    async with asyncio.timeout(3):
        while (await browse(proxy, session, "GET", "/v1/models")).status != 401:
            await asyncio.sleep(0.02)


async def test_the_cookie_is_for_our_own_page_alone(proxy: RunningProxy) -> None:
    plain = await call(proxy, "POST", "/admin/session", {"key": MASTER}, key=None)
    tls = {"X-Forwarded-Proto": "https"}
    over_tls = await call(proxy, "POST", "/admin/session", {"key": MASTER}, key=None, headers=tls)

    value, *attributes = plain.headers["Set-Cookie"].split("; ")
    assert value.startswith(f"{COOKIE}=")
    assert MASTER not in value
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={7 * 86400}"}
    assert (plain.status, plain.body, plain.headers["Cache-Control"]) == (204, b"", "no-store")
    assert "Secure" in over_tls.headers["Set-Cookie"].split("; ")


async def test_the_masters_session_administrates_and_chats(proxy: RunningProxy) -> None:
    session = await signed_in(proxy)

    assert await session_info(proxy, session) == {"admin": True, "key_name": "master", "needs_key": True}
    assert (await browse(proxy, session, "GET", "/admin/keys")).status == 200
    assert (await browse(proxy, session, "POST", "/admin/keys", {"name": "app"}, **PROOF)).status == 200
    assert (await browse(proxy, session, "POST", "/v1/chat/completions", TURN, **PROOF)).status == 200
    assert "sites" in (await browse(proxy, session, "GET", "/readyz")).body


async def test_a_reverse_proxys_own_password_does_not_stand_in_the_way(proxy: RunningProxy) -> None:
    session = await signed_in(proxy)

    assert (await browse(proxy, session, "GET", "/admin/keys", Authorization="Basic YTpi")).status == 200


async def test_the_session_of_a_made_key_chats_and_is_counted_as_that_key(proxy: RunningProxy) -> None:
    session = await signed_in(proxy, await create_key(proxy, rpm=1, models=["gpt-4o-mini-helper"]))
    models = await browse(proxy, session, "GET", "/v1/models")
    first, second = [await browse(proxy, session, "POST", "/v1/chat/completions", TURN, **PROOF) for _ in range(2)]

    assert await session_info(proxy, session) == {"admin": False, "key_name": "app", "needs_key": True}
    assert [model["id"] for model in models.body["data"]] == ["gpt-4o-mini-helper"]
    assert (first.status, second.status) == (200, 429)
    assert (await browse(proxy, session, "GET", "/admin/keys")).code == "admin_required"


async def test_nobody_signed_in_is_told_that_a_key_is_needed(proxy: RunningProxy) -> None:
    nobody = await call(proxy, "GET", "/admin/session", key=None)

    assert (nobody.status, nobody.body) == (200, {"admin": False, "key_name": None, "needs_key": True})
    assert nobody.headers["Cache-Control"] == "no-store"
    by_key = await call(proxy, "GET", "/admin/session")
    assert by_key.body == {"admin": True, "key_name": "master", "needs_key": True}


async def test_where_no_key_exists_everybody_on_this_machine_is_the_administrator(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        shown = await call(proxy, "GET", "/admin/session", key=None)
        signing_in = await call(proxy, "POST", "/admin/session", {"key": "any"}, key=None)

    assert shown.body == {"admin": True, "key_name": None, "needs_key": False}
    assert (signing_in.status, "Set-Cookie" in signing_in.headers) == (204, False)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "a form of any page can send this"),
        ({"x_freeaichat_csrf": "1"}, "nobody says where it comes from"),
        ({"Sec_Fetch_Site": "same-origin"}, "the header is missing"),
        ({"x_freeaichat_csrf": "1", "Sec_Fetch_Site": "same-site"}, "another port of this machine"),
        ({"x_freeaichat_csrf": "1", "Origin": "http://localhost:3000"}, "another port of this machine"),
        ({"x_freeaichat_csrf": "1", "Origin": "https://evil.example"}, "another site"),
    ],
)
@pytest.mark.parametrize(
    "sent",
    [
        ("POST", "/v1/chat/completions", TURN),
        ("POST", "/admin/keys", {"name": "app"}),
        ("DELETE", "/admin/session", None),
    ],
)
async def test_with_the_cookie_nothing_is_changed_without_proof_of_our_own_page(
    proxy: RunningProxy, headers: dict[str, str], why: str, sent: tuple[str, str, Any]
) -> None:
    session = await signed_in(proxy)
    denied = await browse(proxy, session, *sent, **headers)

    assert (denied.status, denied.code) == (403, "csrf_failed"), why
    assert (await call(proxy, "GET", "/admin/keys")).body["data"] == []


async def test_our_own_page_is_known_by_its_origin_where_the_browser_tells_no_more(proxy: RunningProxy) -> None:
    session = await signed_in(proxy)
    answer = await browse(proxy, session, "POST", "/v1/chat/completions", TURN, Origin=proxy.url, x_freeaichat_csrf="1")

    assert answer.status == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "same-site"}])
async def test_the_cookie_is_not_taken_from_pages_of_other_origins(
    proxy: RunningProxy, headers: dict[str, str]
) -> None:
    session = await signed_in(proxy)
    for path in ("/v1/models", "/admin/keys", "/admin/session"):
        answer = await browse(proxy, session, "GET", path, **headers)
        assert answer.status == 403
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_key_that_is_sent_counts_instead_of_the_cookie(proxy: RunningProxy) -> None:
    session, key = await signed_in(proxy), await create_key(proxy)
    cookie = {"Cookie": f"{COOKIE}={session}", "Origin": "https://elsewhere.example"}

    assert (await call(proxy, "POST", "/v1/chat/completions", TURN, key=key, headers=cookie)).status == 200
    assert (await call(proxy, "GET", "/admin/keys", key=key, headers=cookie)).status == 403
    assert (await call(proxy, "GET", "/admin/keys", key="wrong", headers=cookie)).status == 401


async def test_signing_out_takes_the_cookie_away(proxy: RunningProxy) -> None:
    session = await signed_in(proxy)
    gone = await browse(proxy, session, "DELETE", "/admin/session", **PROOF)
    again = await call(proxy, "DELETE", "/admin/session", key=None)

    assert (gone.status, again.status) == (204, 204)
    assert gone.headers["Set-Cookie"].startswith(f'{COOKIE}=""; ')
    assert "Max-Age=0" in gone.headers["Set-Cookie"]


@pytest.mark.parametrize("text", ["nonsense", "1.master.9999999999." + "0" * 64, "1.key_1.9999999999." + "0" * 64])
async def test_a_cookie_of_ones_own_making_opens_nothing(proxy: RunningProxy, text: str) -> None:
    denied = await browse(proxy, text, "GET", "/v1/models")

    assert (denied.status, denied.code) == (401, "invalid_api_key")
    assert await session_info(proxy, text) == {"admin": False, "key_name": None, "needs_key": True}
    assert (await browse(proxy, text, "POST", "/admin/session", {"key": MASTER})).status == 204


async def test_a_session_ends_after_its_time(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LIFETIME", 1)
    session = await signed_in(proxy)
    assert (await browse(proxy, session, "GET", "/v1/models")).status == 200

    await wait_until_ended(proxy, session)


async def test_a_session_dies_with_its_key(proxy: RunningProxy) -> None:
    short = await signed_in(proxy, await create_key(proxy, "short", expires_in=1))
    revoked = await signed_in(proxy, await create_key(proxy, "revoked"))
    rotated = await signed_in(proxy, await create_key(proxy, "rotated"))
    await call(proxy, "DELETE", "/admin/keys/revoked")
    await call(proxy, "POST", "/admin/keys/rotated/rotate")

    assert (await browse(proxy, revoked, "GET", "/v1/models")).status == 401
    assert (await browse(proxy, rotated, "GET", "/v1/models")).status == 401
    await wait_until_ended(proxy, short)


async def test_sessions_of_the_master_key_outlive_restarts_and_die_when_it_changes(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        session = await signed_in(proxy)
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        assert (await browse(proxy, session, "GET", "/admin/keys")).status == 200
    async with running_proxy(site, tmp_path, key="another master key") as proxy:
        assert (await browse(proxy, session, "GET", "/admin/keys")).status == 401


async def test_all_proxies_of_one_redis_know_a_session_and_its_end(
    site: SimulatedSite, tmp_path: Path, redis_server: RedisServer
) -> None:
    store = f"{redis_server.url}0"
    async with (
        running_proxy(site, tmp_path / "one", key=MASTER, store=store) as one,
        running_proxy(site, tmp_path / "two", key=MASTER, store=store) as two,
    ):
        admin, app = await signed_in(one), await signed_in(one, await create_key(one))
        assert (await browse(two, admin, "POST", "/admin/keys", {"name": "more"}, **PROOF)).status == 200
        async with asyncio.timeout(2):
            while (await browse(two, app, "POST", "/v1/chat/completions", TURN, **PROOF)).status != 200:
                await asyncio.sleep(0.02)
        start = time()
        await call(one, "DELETE", "/admin/keys/app")
        await wait_until_ended(two, app)
        assert time() - start < 1


async def test_another_process_ends_a_session_through_the_store(proxy: RunningProxy) -> None:
    session = await signed_in(proxy, await create_key(proxy))
    async with open_store(proxy.settings.store_url) as elsewhere:
        await key_admin.revoke(elsewhere, "app", now=time())

    await wait_until_ended(proxy, session)


async def test_signing_in_needs_a_right_key(proxy: RunningProxy) -> None:
    await key_admin.create(proxy.store, parse_new_key("app"), now=time())
    for wrong in ("wrong", " ", MASTER[:-1], "ключ"):
        denied = await call(proxy, "POST", "/admin/session", {"key": wrong}, key=None)
        assert (denied.status, denied.code, "Set-Cookie" in denied.headers) == (401, "invalid_api_key", False)
    bodies: list[Any] = [{}, {"key": ""}, {"key": 5}, {"key": "x" * 4097}, {"key": MASTER, "remember": True}, []]
    for body in bodies:
        assert (await call(proxy, "POST", "/admin/session", body, key=None)).status == 400


async def test_pages_of_other_origins_sign_nobody_in(proxy: RunningProxy) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        denied = await call(proxy, "POST", "/admin/session", {"key": MASTER}, key=None, headers=headers)
        assert (denied.status, denied.code, "Set-Cookie" in denied.headers) == (403, "csrf_failed", False)


async def test_strangers_who_sign_in_slowly_take_no_place_from_others(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "SIGN_IN_SECONDS", 1.0)
    head = b"POST /admin/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n"
    port = int(proxy.url.rpartition(":")[2])
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(administration.MAX_SIGNING_IN)]
    for _, writer in opened:
        writer.write(head)
    async with asyncio.timeout(1):
        while (denied := await call(proxy, "POST", "/admin/session", {"key": MASTER}, key=None)).status == 204:
            await asyncio.sleep(0.02)

    assert (denied.status, denied.code) == (429, "rate_limit_exceeded")
    assert (await call(proxy, "GET", "/v1/models")).status == 200
    answers = [await reader.readline() for reader, _ in opened]
    assert {answer.split()[1] for answer in answers} == {b"408"}
    assert (await call(proxy, "POST", "/admin/session", {"key": MASTER}, key=None)).status == 204
    for _, writer in opened:
        writer.close()


async def test_strangers_send_no_more_than_a_key_takes(proxy: RunningProxy) -> None:
    denied = await call(proxy, "POST", "/admin/session", {"key": "x" * 100_000}, key=None)

    assert (denied.status, denied.code) == (413, "request_too_large")
    assert denied.body["error"]["message"] == "Signing in takes no more than 32768 bytes."
