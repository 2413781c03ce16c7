"""The JSON in a request's body, as clients of many kinds write it."""

import json
from math import isinf
from typing import Any, NoReturn

import orjson

from proxy.chat.errors import ServiceError, bad_request
from proxy.server import gradual_json

GRADUAL_BYTES = 256 * 1024  # of JSON; more is read in short steps


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a request body. Raises `ServiceError` (400)."""
    try:
        value = orjson.loads(body) if len(body) <= GRADUAL_BYTES else gradual_json.loads(body)
    except gradual_json.TooMuchJson as error:
        raise bad_request(f"The JSON body of your request is refused: {error}.", code="json_above_limits") from error
    except gradual_json.NoJson as error:
        raise _no_json(str(error)) from error
    except orjson.JSONDecodeError:
        value = _parse_leniently(body)
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object.")
    return value


def _parse_leniently(body: bytes) -> Any:
    """For what the fast parser refuses: a byte order mark, and half a surrogate pair cut off by a client.

    Such a half cannot be sent on as UTF-8; it becomes the replacement character, wherever it stands.
    """
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_integer,
        )
        loose = json.dumps(value, ensure_ascii=False)
        return json.loads(loose.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _no_json(reason) from error


def _no_json(reason: str) -> ServiceError:
    return bad_request(f"We could not parse the JSON body of your request: {reason}.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _read_float(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise ValueError("a number is too large")
    return value


def _read_integer(digits: str) -> float:
    """As the fast parser does: what is longer than 64 bits, and could not be written again, is a float."""
    value = int(digits)
    return value if abs(value) < 2**63 else _read_float(digits)
