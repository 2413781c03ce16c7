"""The OpenAPI document itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.api.openapi.document import document

METHODS = {"get", "head", "post", "delete"}


@pytest.fixture
def openapi() -> dict[str, Any]:
    """The document of a proxy with keys."""
    return document("1.2.3", needs_key=True)


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def test_every_reference_leads_somewhere_and_every_schema_is_used(openapi: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(openapi) if "$ref" in node}
    kinds = ("schemas", "responses", "headers")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in openapi["components"][kind]}

    assert references == there


def test_operations_have_names_of_their_own_and_links_lead_to_them(openapi: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(openapi)]
    targets = {node["operationId"] for node in nodes(openapi) if set(node) == {"operationId", "parameters"}}

    assert len(names) == len(set(names))
    assert targets
    assert targets <= set(names)


def test_every_get_has_a_head_with_the_same_answers(openapi: dict[str, Any]) -> None:
    for path, methods in openapi["paths"].items():
        assert set(methods) <= METHODS
        assert ("head" in methods) == ("get" in methods or path.startswith("/v1/")), path
        if "get" in methods:
            assert list(methods["head"]["responses"]) == list(methods["get"]["responses"])
            assert all("content" not in answer for answer in methods["head"]["responses"].values())


def test_every_part_of_a_path_is_described(openapi: dict[str, Any]) -> None:
    for name, operation in operations(openapi):
        described = {part["name"] for part in operation.get("parameters", ()) if part["in"] == "path"}
        assert described == {part.rstrip("}") for part in name.split("{")[1:] for part in [part.partition("}")[0]]}


def test_what_asks_the_site_may_fail_in_every_way(openapi: dict[str, Any]) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        answers = openapi["paths"][path]["post"]["responses"]
        refused = ["400", "401", "403", "404", "408", "413", "415", "429"]
        assert list(answers) == ["200", *refused, "500", "502", "503", "504"]
        assert set(answers["200"]["content"]) == {"application/json", "text/event-stream"}


def test_a_key_is_asked_for_where_there_are_keys_and_not_for_what_is_open_to_all(openapi: dict[str, Any]) -> None:
    open_to_all = {path for path, methods in openapi["paths"].items() if methods.get("get", {}).get("security") == []}

    assert open_to_all == {"/", "/assets/{name}", "/health", "/healthz", "/readyz", "/openapi.json", "/admin/session"}
    assert {} not in openapi["security"]
    assert {} in document("1.2.3", needs_key=False)["security"]
    assert {name for scheme in openapi["security"] for name in scheme} == set(openapi["components"]["securitySchemes"])


def test_the_document_is_plain_json_with_the_version_of_the_proxy(openapi: dict[str, Any]) -> None:
    assert json.loads(json.dumps(openapi)) == openapi
    assert (openapi["openapi"], openapi["info"]["version"]) == ("3.1.0", "1.2.3")
