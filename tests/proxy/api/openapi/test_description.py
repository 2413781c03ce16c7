"""`/openapi.json` as it is served."""

import re
from pathlib import Path
from typing import Any

from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from proxy.api.openapi.document import document
from proxy.app import open_app
from shared.settings import load
from shared.store import open_store
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

PATH = "/openapi.json"


async def test_the_document_describes_exactly_the_routes(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path)
    async with open_store(settings.store_url) as store, open_app(settings, store, key=None) as app:
        routes = {
            (served_path(route.resource.canonical), route.method.lower())
            for route in app.router.routes()
            if route.resource is not None
        }
    described = {
        (path, method) for path, methods in document("", needs_key=False)["paths"].items() for method in methods
    }

    assert described == routes, "proxy/protocol/openapi/ and the routes of proxy/app.py must tell the same"


def served_path(pattern: str) -> str:
    """The path as it is documented, from a route's pattern with its names for the slashes (proxy/server/routes.py)."""
    path = re.sub(r"\{slash\d+\}", "/", pattern).replace("{end}", "").replace("{prefix}{deployment}", "v1")
    return path.replace("//", "/")


async def test_the_document_is_valid_openapi_3_1(proxy: RunningProxy) -> None:
    async with proxy.http.get(proxy.url + PATH) as response:
        body: dict[str, Any] = await response.json()

    assert (response.status, response.content_type) == (200, "application/json")
    OPENAPI_31_VALIDATOR.validate(body)
    broken = {**body, "paths": {"no slash": {}}}
    assert not OPENAPI_31_VALIDATOR.is_valid(broken)


async def test_the_document_is_public_and_requires_a_key_where_there_is_one(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, key="secret") as proxy, proxy.http.get(proxy.url + PATH) as response:
        body = await response.json()

    assert response.status == 200
    assert {} not in body["security"]


async def test_probes_may_ask_for_its_head_and_browsers_read_it(proxy: RunningProxy) -> None:
    origin = "http://localhost:3000"
    async with proxy.http.head(proxy.url + PATH) as head:
        assert (head.status, await head.read()) == (200, b"")
        assert int(head.headers["Content-Length"]) > 10_000
    async with proxy.http.get(proxy.url + PATH, headers={"Origin": origin}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == origin
    async with proxy.http.get(proxy.url + PATH, headers={"Origin": "https://evil.example"}) as refused:
        assert refused.status == 403
