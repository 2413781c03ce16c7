"""Requests to the administrator's API, as a script or a browser sends them."""

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
    """Send one request with *key*; the body of an empty answer is None."""
    sent = {**({"x-api-key": key} if key else {}), **(headers or {})}
    async with proxy.http.request(method, proxy.url + path, json=body, headers=sent) as response:
        is_json = response.content_type == "application/json" and response.content_length
        return Answered(response.status, await (response.json() if is_json else response.read()), response.headers)


async def signed_in(proxy: RunningProxy, key: str = MASTER) -> str:
    """Sign in and return the session cookie's value."""
    answer = await call(proxy, "POST", "/admin/session", {"key": key}, key=None)
    assert answer.status == 204, answer.body
    name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    assert name == COOKIE
    return value


async def browse(
    proxy: RunningProxy, session: str, method: str, path: str, body: Any = None, **headers: str
) -> Answered:
    """Send a browser's request with the cookie and only these *headers* (`_` stands for `-`)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(proxy, method, path, body, key=None, headers={"Cookie": f"{COOKIE}={session}", **named})
