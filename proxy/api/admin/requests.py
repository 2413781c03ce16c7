"""Parse the requests of administrators. Unknown fields are refused: a mistyped limit would be none."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from proxy.chat.errors import ServiceError, bad_request
from proxy.server.bodies import parse_json
from shared.admin.keys import NewKey, parse_new_key
from shared.admin.wire import UsageQuery, parse_usage_query

DEFAULT_SINCE, DEFAULT_BY = "7d", "day,key"
USAGE_PARAMETERS = ("since", "until", "by")  # of a usage query
MAX_KEY = 4096  # characters of a key that signs in
_KEY_FIELDS = ("name", "rpm", "tpd", "models", "expires_in")
_VISIT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def read_new_key(body: bytes) -> NewKey:
    """What a new key is to be. Raises `ServiceError` (400)."""
    fields = _fields(body, _KEY_FIELDS)
    models = fields.get("models")
    if models is not None and not isinstance(models, list):
        raise bad_request("'models' must be a list of names.", param="models", code="invalid_value")
    try:
        return parse_new_key(
            fields.get("name"),
            rpm=_whole(fields.get("rpm")),
            tpd=_whole(fields.get("tpd")),
            models=models,
            expires_in=fields.get("expires_in"),
        )
    except ValueError as error:
        raise _wrong(error) from None


def read_usage_query(query: Mapping[str, str], *, now: float) -> UsageQuery:
    """The time span of a usage query. Raises `ServiceError` (400)."""
    since, until, by = query.get("since", DEFAULT_SINCE), query.get("until", ""), query.get("by", DEFAULT_BY)
    try:
        return parse_usage_query(since, until, by, now=now)
    except ValueError as error:
        raise _wrong(error) from None


def read_site(body: bytes, sites: Iterable[str]) -> str:
    """The site (one of these origins) to visit; the first where none is named. Raises `ServiceError`: 400 and 404."""
    known = list(sites)
    named = _fields(body, ("site",)).get("site") if body.strip() else None
    if named is None:
        return known[0]
    if not isinstance(named, str):
        raise bad_request("'site' must be an origin such as https://host.", param="site", code="invalid_value")
    if named.rstrip("/") not in known:
        raise ServiceError(404, f"No such site; these are visited: {', '.join(known)}.", code="site_not_found")
    return named.rstrip("/")


def read_sign_in(body: bytes) -> str:
    """The key that somebody signs in with. Raises `ServiceError` (400)."""
    secret = _fields(body, ("key",)).get("key")
    if not isinstance(secret, str) or not 1 <= len(secret) <= MAX_KEY:
        raise bad_request(f"'key' must be a text of 1 to {MAX_KEY} characters.", param="key", code="invalid_value")
    return secret


def read_visit_id(text: str) -> str:
    """The id of a visit. Raises `ServiceError` (404) for what can be none."""
    if not _VISIT_ID.fullmatch(text):
        raise no_screenshot()
    return text


def check_query(query: Iterable[str], known: Iterable[str] = ()) -> None:
    """Raise `ServiceError` (400) if *query* holds more than *known*."""
    _check_known(query, known, "query parameter")


def no_screenshot() -> ServiceError:
    """The error where there is no picture of a visit."""
    return ServiceError(
        404, "No screenshot is kept of this visit; only the last failures have one.", code="screenshot_not_found"
    )


def _fields(body: bytes, known: Iterable[str]) -> dict[str, Any]:
    fields = parse_json(body)
    _check_known(fields, known, "field")
    return fields


def _whole(value: object) -> object:
    """*value*, as a whole number where JSON wrote it with a point: some clients know no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = tuple(known)
    for name in names:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise bad_request(f"Unknown {what} '{name[:64]}'; {takes}.", param=name[:64], code="unknown_parameter")


def _wrong(error: ValueError) -> ServiceError:
    """The error for a value that `shared` refused; its text begins with the value's name."""
    name, _, rest = str(error).partition(": ")
    name = "expires_in" if name == "expires" else name
    return bad_request(f"'{name}': {rest}.", param=name, code="invalid_value")
