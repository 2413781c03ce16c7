"""Asking the administrator's API as a script or as a browser does, for tests."""

from collections.abc import Mapping
from typing import Any

from tests.proxy.running import Answered, RunningProxy

MASTER = "sk-the-master-key"
COOKIE = "freeaichat_session"


async def call(
    proxy: RunningProxy,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = MASTER,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """One request with *key*; an empty answer's body is None."""
    sent = {**({"x-api-key": key} if key else {}), **(headers or {})}
    async with proxy.http.request(method, proxy.url + path, json=body, headers=sent) as response:
        is_json = response.content_type == "application/json" and response.content_length
        return Answered(response.status, await (response.json() if is_json else response.read()), response.headers)


async def signed_in(proxy: RunningProxy, key: str = MASTER) -> str:
    """The text of a session's cookie."""
    answer = await call(proxy, "POST", "/admin/session", {"key": key}, key=None)
    assert answer.status == 204, answer.body
    name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    assert name == COOKIE
    return value


async def browse(
    proxy: RunningProxy, session: str, method: str, path: str, body: Any = None, **headers: str
) -> Answered:
    """A request of a browser with the cookie, and no more *headers* than are given (`_` stands for `-`)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(proxy, method, path, body, key=None, headers={"Cookie": f"{COOKIE}={session}", **named})
