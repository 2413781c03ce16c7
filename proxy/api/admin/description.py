"""`/admin`: what takes the master key, or the session of who signed in with it."""

from proxy.api.admin.requests import DEFAULT_BY, DEFAULT_SINCE, MAX_KEY
from proxy.api.health.description import SITE
from proxy.api.openapi.parts import (
    BOOLEAN,
    COUNT,
    FINDS,
    INTEGER,
    NUMBER,
    SECONDS,
    STRING,
    WRITES,
    Operations,
    Schema,
    answer,
    array,
    const,
    described,
    exactly,
    nullable,
    one_of,
    operation,
    path_parameter,
    query_parameter,
    ref,
)
from shared.admin.keys import MAX_LIMIT, MAX_MODEL_NAME, MAX_MODELS
from shared.admin.usage import TOOL_OUTCOMES

_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}
_TIME_SPAN: Schema = {"type": "string", "format": "time-span", "examples": ["30d", "12h"]}
_SINCE: Schema = {"type": "string", "format": "time-since", "default": DEFAULT_SINCE}
_UNTIL: Schema = {"type": "string", "format": "time-until", "examples": ["1h"]}
_KEY_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "format": "key-name"}
_MILLISECONDS = nullable(NUMBER)
_KEY = {
    "id": described(STRING, "`key_…`"),
    "object": const("api_key"),
    "name": STRING,
    "hint": described(STRING, "Enough of the key to recognise it."),
    "created_at": SECONDS,
    "expires_at": nullable(SECONDS),
    "revoked_at": nullable(SECONDS),
    "last_used_at": nullable(SECONDS),
    "rpm": described(nullable(_LIMIT), "Requests a minute; each of several answers (`n`) is one."),
    "tpd": described(nullable(_LIMIT), "Tokens a day, estimated."),
    "models": described(nullable(array(STRING)), "The only ones that it may use."),
}
_VISIT = exactly(
    {
        "id": STRING,
        "started_at": NUMBER,
        "seconds": NUMBER,
        "outcome": STRING,
        "cause": described(STRING, "A code of why it failed, or what is odd about it; empty: none."),
        "reason": described(STRING, "The same in words."),
        "trigger": STRING,
        "screenshot": described(BOOLEAN, "Whether `/admin/visits/{id}/screenshot` has a picture of it."),
    }
)
_CREDENTIALS = exactly(
    {
        "age_seconds": NUMBER,
        "nonce_age_seconds": described(NUMBER, "Since the site handed out or took the nonce last."),
        "source": one_of("visit", "renewal", "manual"),
        "generation": COUNT,
    }
)
_SITE = exactly(
    {
        **SITE,
        "credentials": nullable(_CREDENTIALS),
        "cooldown_until": nullable(SECONDS),
        "bots": COUNT,
        "visits": described(array(_VISIT), "The last ones, newest first."),
    }
)

SCHEMAS: dict[str, Schema] = {
    "Key": exactly(_KEY),
    "NewKey": exactly({**_KEY, "key": described(STRING, "The key itself, told this once.")}),
    "KeyList": exactly({"object": const("list"), "data": array(ref("Key"))}),
    "KeyRequest": exactly(
        {"name": _KEY_NAME},
        rpm=nullable(_LIMIT),
        tpd=nullable(_LIMIT),
        models=nullable(
            array(
                {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_NAME},
                minItems=1,
                maxItems=MAX_MODELS,
            )
        ),
        expires_in=described(
            nullable(_TIME_SPAN, {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_LIMIT}),
            "`30d`, `12h` …, or seconds.",
        ),
    ),
    "UsageList": exactly(
        {
            "object": const("list"),
            "data": array(
                exactly(
                    {
                        "requests": COUNT,
                        "errors": {"type": "object", "additionalProperties": COUNT},
                        "refused": described(COUNT, "By limits of our own; not among the requests."),
                        "tokens_in": COUNT,
                        "tokens_out": COUNT,
                        "ms_p50": _MILLISECONDS,
                        "ms_p95": _MILLISECONDS,
                        "ttft_ms_p50": described(_MILLISECONDS, "To the first text."),
                        "ttft_ms_p95": _MILLISECONDS,
                        "tools": described(
                            exactly(dict.fromkeys(TOOL_OUTCOMES, COUNT)),
                            "Answers that hold calls of tools or JSON by a schema: right at once, once mended, only "
                            "when asked again, or never.",
                        ),
                    },
                    day=described(STRING, "Of UTC, such as 2026-01-31."),
                    hour=SECONDS,
                    key=described(STRING, "Its name."),
                    model=STRING,
                    site=STRING,
                )
            ),
            "estimated": described(const(True), "Tokens are, where a site answered: it names none."),
        }
    ),
    "Status": exactly(
        {
            "version": STRING,
            "started_at": described(SECONDS, "When this process began."),
            "ready": BOOLEAN,
            "store": exactly(
                {
                    "url": described(STRING, "Without passwords."),
                    "schema": INTEGER,
                    "trouble": described(nullable(STRING), "Why it cannot be used now."),
                }
            ),
            "open_streams": COUNT,
            "queued": COUNT,
            "sites": array(_SITE),
            "harvester": exactly({"running": BOOLEAN, "heartbeat_age_seconds": nullable(NUMBER)}),
        }
    ),
    "VisitRequest": exactly({}, site=described(nullable(STRING), "Its origin; the first site where it is left out.")),
    "VisitAsk": exactly({"object": const("visit_ask"), "site": STRING}),
    "SignIn": exactly({"key": {"type": "string", "minLength": 1, "maxLength": MAX_KEY}}),
    "Session": exactly(
        {
            "admin": described(BOOLEAN, "Whether the caller may administrate."),
            "key_name": nullable(STRING),
            "needs_key": described(BOOLEAN, "Whether a key is needed at all."),
        }
    ),
}

_NAME = path_parameter("id", "The key's id or name.")

OPERATIONS: Operations = {
    "GET /admin/keys": operation(
        "list_keys", "All keys, newest first, revoked ones too.", answer("The keys.", "KeyList"), ["400"]
    ),
    "POST /admin/keys": operation(
        "create_key",
        "Make a key. With the first one the master key is made too, and kept in the data directory.",
        answer("The key, told this once.", "NewKey"),
        [*WRITES, "409"],
        body="KeyRequest",
    ),
    "DELETE /admin/keys/{id}": operation(
        "revoke_key", "End a key for ever.", answer("The revoked key.", "Key"), ["400", *FINDS], parameters=[_NAME]
    ),
    "POST /admin/keys/{id}/rotate": operation(
        "rotate_key",
        "Give a key a new secret; the old one ends.",
        answer("The key, told this once.", "NewKey"),
        ["400", *FINDS, "409"],
        parameters=[_NAME],
    ),
    "GET /admin/usage": operation(
        "usage",
        "What was used.",
        answer("One row for each combination of what is told apart.", "UsageList"),
        ["400"],
        parameters=[
            query_parameter(
                "since",
                _SINCE,
                "How far back, `7d` unless told; or a Unix time in seconds. Its first hour is told whole.",
            ),
            query_parameter("until", _UNTIL, "Until when, as `since`; until now unless told."),
            query_parameter(
                "by",
                {"type": "string", "format": "usage-by", "default": DEFAULT_BY},
                "What is told apart: any of hour, day, key, model, site.",
            ),
        ],
    ),
    "GET /admin/status": operation("status", "How everything is.", answer("The status.", "Status"), ["400"]),
    "POST /admin/visits": operation(
        "ask_visit",
        "Ask the harvester for a visit soon.",
        answer("It was asked for.", "VisitAsk"),
        [*FINDS, *WRITES],
        body="VisitRequest",
        needs_body=False,
        ok_status="202",
    ),
    "GET /admin/visits/{id}/screenshot": operation(
        "screenshot",
        "The picture of a failed visit.",
        answer("The picture.", {"image/png": {}}),
        ["400", *FINDS],
        parameters=[path_parameter("id", "The visit's id.")],
    ),
    "GET /admin/session": operation(
        "show_session", "Who is signed in.", answer("Perhaps nobody.", "Session"), ["400"], is_open=True
    ),
    "POST /admin/session": operation(
        "sign_in",
        "Sign in with a key, for a week: the cookie `freeaichat_session` opens everything that the key does.",
        answer("The cookie is set; none where no key is needed.", {}),
        [*WRITES, "401", "429"],
        body="SignIn",
        is_open=True,
        ok_status="204",
    ),
    "DELETE /admin/session": operation(
        "sign_out", "Sign out.", answer("The cookie is gone.", {}), ["400"], is_open=True, ok_status="204"
    ),
}
