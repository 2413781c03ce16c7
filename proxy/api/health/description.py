"""Probes, metrics, the root, and this document."""

from proxy.api.openapi.parts import (
    BOOLEAN,
    COUNT,
    FINDS,
    INTEGER,
    KIND,
    NUMBER,
    STRING,
    Operations,
    Schema,
    answer,
    array,
    const,
    described,
    exactly,
    json_content,
    nullable,
    one_of,
    operation,
    path_parameter,
    ref,
)

SITE: dict[str, Schema] = {
    "site": described(STRING, "Its origin, or the server's name."),
    "kind": nullable(KIND),
    "ready": BOOLEAN,
    "reason": described(nullable(STRING), "Why it is not ready, in words."),
    "code": described(nullable(STRING), "The same as a code, as errors have it."),
    "breaker": one_of("closed", "open", "half_open"),
    "cooldown_until": nullable(NUMBER),
    "open_streams": COUNT,
    "queued": COUNT,
}
SCHEMAS: dict[str, Schema] = {
    "Health": exactly({"status": const("ok")}),
    "Readiness": exactly(
        {
            "status": described(
                one_of("ready", "degraded", "unavailable"), "`degraded`: not by every site, or without memory."
            )
        },
        reason=described(STRING, "What is amiss, in words."),
        sites=described(
            array(exactly({**SITE, "credentials_age_seconds": nullable(INTEGER)})),
            "Only for those who may use the proxy.",
        ),
    ),
    "Root": exactly({"name": const("freeaichat-2api"), "version": STRING, "openai_base_url": const("/v1")}),
    "Document": {"type": "object", "required": ["openapi", "info", "paths", "components"]},
}

_RUNNING = answer("It does.", "Health")

OPERATIONS: Operations = {
    "GET /health": operation("health", "The same as `/healthz`.", _RUNNING, is_open=True),
    "GET /v1": operation("base", "What this is, at the base URL.", answer("It.", "Root")),
    "GET /healthz": operation("healthz", "Whether the process runs, whatever the site does.", _RUNNING, is_open=True),
    "GET /readyz": operation(
        "readyz",
        "Whether a request could be answered now.",
        answer("It could.", "Readiness"),
        is_open=True,
        statuses={
            "503": answer(
                "It could not; or the proxy is being stopped.",
                json_content({"anyOf": [ref("Readiness"), ref("Error")]}),
                "retry-after",
            )
        },
    ),
    "GET /metrics": operation(
        "metrics",
        "Numbers for Prometheus; takes the master key where there is one.",
        answer("Prometheus' text format.", {"text/plain": {"schema": STRING}}),
    ),
    "GET /openapi.json": operation("openapi", "This document.", answer("The document.", "Document"), is_open=True),
    "GET /": operation(
        "root",
        "What this is.",
        answer(
            "The proxy's name and version; the web page where `Accept` takes HTML.",
            {**json_content(ref("Root")), "text/html": {"schema": STRING}},
        ),
        is_open=True,
    ),
    "GET /assets/{name}": operation(
        "asset",
        "One of the web page's files.",
        answer(
            "The file.",
            {kind: {"schema": STRING} for kind in ("text/html", "text/javascript", "text/css", "image/svg+xml")},
        ),
        FINDS,
        parameters=[path_parameter("name", "The file's path; it may hold slashes.")],
        is_open=True,
    ),
}
