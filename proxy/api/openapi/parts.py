"""What the descriptions of all resources are made of: small schemas, headers, parameters and answers."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]
Operations = Mapping[str, dict[str, Any]]  # by method and path, as in `GET /v1/models`

NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"  # what Python's str.strip() leaves something of
ANY: Schema = {}
STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
SECONDS: Schema = {"type": "integer", "minimum": 0, "description": "Unix time in seconds."}
COUNT: Schema = {"type": "integer", "minimum": 0}

STATUSES = {  # of errors, and what they mean
    "400": "The request makes no sense, asks for what cannot be done, or was refused for what it says.",
    "401": "No key was sent, or a wrong one.",
    "403": "Not for this origin, Host name or address, or not for guests of the site.",
    "404": "No such model, conversation, response, item, key, site or picture.",
    "408": "The body did not come in time.",
    "409": "It clashes with what is there already.",
    "413": "The body is, or unpacks to, more than this proxy or the site takes.",
    "415": "The body is compressed in another way than with gzip, deflate, br or zstd.",
    "429": "The site's quota or rate limit, or too many requests waiting for it.",
    "500": "The proxy itself failed; its log says more.",
    "502": "The site failed to answer, its answer broke off, or the model did not give the call (`invalid_tool_call`) "
    "or the JSON (`invalid_json`) that it was asked for, however often.",
    "503": "No usable credentials, the site asks for a check by a person, the store is away, or too much at once.",
    "504": "The site did not answer in time.",
}
_RETRYING = ("retry-after", "retry-after-ms", "x-should-retry")
_ERROR_HEADERS = {"403": ("x-should-retry",), "429": _RETRYING, "502": _RETRYING, "503": _RETRYING, "504": _RETRYING}
_ALWAYS = ("403", "500", "503")  # an origin or a name that is not served, our own failures, too much at once
_WITH_KEY = ("401",)
FINDS = ("404",)
WRITES = ("400", "408", "413", "415")
ASKS_THE_SITE = ("400", "404", "408", "413", "415", "429", "502", "504")


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def with_examples(schema: Mapping[str, Any], *examples: Any) -> Schema:
    """*schema* with examples."""
    return {**schema, "examples": list(examples)}


def described(schema: Mapping[str, Any], description: str) -> Schema:
    """*schema* with a description."""
    return {**schema, "description": description}


def const(value: Any) -> Schema:
    """Exactly this value."""
    return {"const": value}


def one_of(*values: Any) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


KIND = one_of("aipkit", "ai_engine", "openai_server")  # of sites and servers


def nullable(*schemas: Schema) -> Schema:
    """Any of *schemas*, or null."""
    return {"anyOf": [*schemas, NULL]}


def array(items: Schema, **limits: int) -> Schema:
    """A list of *items*."""
    return {"type": "array", "items": items, **limits}


def exactly(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object of ours: all of *required*, perhaps some of *optional*, nothing else."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def at_least(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """A client's object: what is not named is ignored."""
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def event_stream(data: Sequence[Schema], *, end_mark: bool, **fields: Schema) -> dict[str, Any]:
    """The `text/event-stream` content whose events each hold one of *data* as JSON; *fields*: the events' others."""
    payload = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": list(data)}}
    held = {"anyOf": [const("[DONE]"), payload]} if end_mark else payload
    return {"text/event-stream": {"schema": described(at_least({**fields, "data": held}), "Each event of the stream.")}}


def json_content(schema: Schema) -> dict[str, Any]:
    """The `application/json` content of this shape."""
    return {"application/json": {"schema": schema}}


def answer(
    description: str, content: str | Mapping[str, Any], *headers: str, links: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A success with *content*: JSON of the schema of that name, or by media type.

    *headers*: those beside the id; *links*: what to do with it next.
    """
    found = {"description": description, "headers": _headers("x-request-id", *headers)}
    if content:
        found["content"] = json_content(ref(content)) if isinstance(content, str) else dict(content)
    return {**found, "links": dict(links)} if links else found


def links(parameters: Mapping[str, str], *operations: str) -> dict[str, Any]:
    """Links to *operations* that take *parameters* from this answer."""
    return {name: {"operationId": name, "parameters": dict(parameters)} for name in operations}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """A part of the path."""
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def query_parameter(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """A part of the query; it may be left out."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def operation(
    id: str,
    summary: str,
    ok: Mapping[str, Any],
    errors: Sequence[str] = (),
    *,
    parameters: Sequence[Mapping[str, Any]] = (),
    body: str | None = None,
    needs_body: bool = True,
    is_open: bool = False,
    ok_status: str = "200",
    statuses: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One method of one path. *body*: the name of its schema; *is_open*: answered without a key; *statuses*: answers of
    its own beside *ok*."""
    codes = sorted({*_ALWAYS, *(() if is_open else _WITH_KEY), *errors})
    known: dict[str, Any] = {"operationId": id, "summary": summary}
    if parameters:
        known["parameters"] = list(parameters)
    if body is not None:
        known["requestBody"] = {"required": needs_body, "content": json_content(ref(body))}
    if is_open:
        known["security"] = []
    known["responses"] = {ok_status: ok, **{code: _error_ref(code) for code in codes}, **(statuses or {})}
    return known


def by_path(operations: Operations) -> dict[str, Any]:
    """*operations* by path and method, with a HEAD for every GET, and for what takes POST alone."""
    paths: dict[str, Any] = {}
    for route, described in operations.items():
        method, path = route.split()
        paths.setdefault(path, {})[method.lower()] = described
    return {path: {**methods, **_head(path, methods)} for path, methods in paths.items()}


def _head(path: str, methods: Mapping[str, Any]) -> dict[str, Any]:
    if "get" in methods:
        get = methods["get"]
        responses = {code: {"description": f"As for GET ({code})."} for code in get["responses"]}
        head = {**get, "operationId": f"{get['operationId']}_head", "summary": "As GET, without the body."}
        return {"head": {**head, "responses": responses}}
    if not path.startswith("/v1/") or "post" not in methods:
        return {}
    id, parts = f"{methods['post']['operationId']}_head", methods["post"].get("parameters", [])
    responses = {code: {"description": "As for POST."} for code in (*_ALWAYS, *_WITH_KEY)}
    head = {"operationId": id, "summary": "For probes.", "responses": {"200": {"description": "It is."}, **responses}}
    return {"head": {**head, "parameters": parts} if parts else head}


def _error_ref(code: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{code}"}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def error_responses() -> dict[str, Any]:
    """The error answers by status, all of one shape."""
    return {
        code: {
            "description": description,
            "headers": _headers("x-request-id", *_ERROR_HEADERS.get(code, ())),
            "content": json_content(ref("Error")),
        }
        for code, description in STATUSES.items()
    }
