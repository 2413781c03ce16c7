"""Reading single parameters; those that the site cannot take are checked as OpenAI checks them and otherwise ignored.

A client that sends what makes no sense has a fault that should show, whoever answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import isinf
from typing import Any

from proxy.chat.errors import ServiceError, bad_request

RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
WHOLE_RANGES: Mapping[str, tuple[float, float]] = {"top_logprobs": (0, 20), "max_tool_calls": (1, float("inf"))}
BIAS = (-100, 100)
ANY = (float("-inf"), float("inf"))
MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512  # OpenAI's limits of metadata
MAX_MESSAGES = 10_000
MAX_NUMBER = 2**53  # beyond it, as good as without end


def read_model(body: Mapping[str, Any], missing: str = "You must provide a model parameter") -> str:
    """The model's name. Raises `ServiceError` (400)."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise bad_request(f"{missing}; GET /v1/models lists the names.", param="model")
    return model.strip()


def read_known(body: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of *names* that *body* has. Raises `ServiceError` (400) where a value makes no sense."""
    found = {name: body[name] for name in names if body.get(name) is not None}
    for name, value in found.items():
        _CHECKS[name](value, name)
    return found


def read_flag(body: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A true or false. Raises `ServiceError` (400)."""
    value = _of_type(body.get(name), name, bool, "true or false")
    return default if value is None else bool(value)


def read_text(body: Mapping[str, Any], name: str) -> str | None:
    """A text. Raises `ServiceError` (400)."""
    text: str | None = _of_type(body.get(name), name, str, "a string")
    return text


def read_object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object; empty for none. Raises `ServiceError` (400)."""
    return _of_type(body.get(name), name, dict, "an object") or {}


def read_list(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    """A list; empty for none. Raises `ServiceError` (400)."""
    return _of_type(body.get(name), name, list, "a list") or []


def read_limit(body: Mapping[str, Any], *names: str) -> int | None:
    """The lowest of the token limits with these names; 0 and -1 mean not set. Raises `ServiceError` (400)."""
    limits = []
    for name in names:
        value = read_whole(body, name)
        if value is None:
            continue
        if value < -1:
            raise bad_request(f"'{name}' must not be below -1.", param=name, code="integer_below_min_value")
        if value > 0:
            limits.append(value)
    return min(limits, default=None)


def read_whole(body: Mapping[str, Any], name: str) -> int | None:
    """A whole number; JSON does not tell 4096.0 or 1e30 from one. Raises `ServiceError` (400)."""
    value = body.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "a whole number")
    return max(-MAX_NUMBER, min(value, MAX_NUMBER))


def read_page_size(query: Mapping[str, str], default: int, most: int) -> int:
    """How many things a page of a list is to have. Raises `ServiceError` (400)."""
    limit = query.get("limit", str(default))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(most)) and 1 <= int(limit) <= most):
        raise bad_request(f"'limit' must be a number from 1 to {most}.", param="limit", code="invalid_value")
    return int(limit)


def read_metadata(value: Any) -> dict[str, str]:
    """The metadata in a request; empty for none. Raises `ServiceError` (400)."""
    if value is None:
        return {}
    is_plain = isinstance(value, dict) and all(
        isinstance(item, str) and len(key) <= MAX_KEY and len(item) <= MAX_VALUE for key, item in value.items()
    )
    if not is_plain or len(value) > MAX_PAIRS:
        raise bad_request(
            f"'metadata' must be an object of at most {MAX_PAIRS} strings of {MAX_VALUE} characters.", param="metadata"
        )
    return dict(value)


def read_new_metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """The metadata that take the place of others. Raises `ServiceError` (400), also where *body* holds none."""
    if "metadata" not in body:
        raise bad_request("'metadata' must be given; null or {} empties it.", param="metadata")
    return read_metadata(body["metadata"])


def check_number(value: Any, name: str, limits: tuple[float, float], *, whole: bool = False) -> None:
    """Raise `ServiceError` (400) unless *value* is a number within *limits*. JSON does not tell 1.0 from 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != value // 1):
        raise wrong_type(name, "a whole number" if whole else "a number")
    least, most = limits
    if not least <= value <= most:
        side = "below_min" if value < least else "above_max"
        kind = "integer" if whole else "decimal"
        bounds = f"at least {least:g}" if isinf(most) else f"from {least:g} to {most:g}"
        raise bad_request(f"'{name}' must be {bounds}.", param=name, code=f"{kind}_{side}_value")


@contextmanager
def named_as(**names: str) -> Iterator[None]:
    """Errors that are raised within name the client's own field, by that of a chat: `named_as(messages="input")`."""
    try:
        yield
    except ServiceError as error:
        error.param = names.get(error.param or "", error.param)
        raise


def check_text(value: Any, name: str) -> None:
    """Raise `ServiceError` (400) unless *value* is a string. Of levels, each vendor has others: servers judge them."""
    _of_type(value, name, str, "a string")


def _of_type(value: Any, name: str, kind: type, what: str) -> Any:
    if value is not None and not isinstance(value, kind):
        raise wrong_type(name, what)
    return value


def _check_bias(value: Any, name: str) -> None:
    _of_type(value, name, dict, "an object")
    for bias in value.values():
        check_number(bias, name, BIAS)


def _check_reasoning(value: Any, name: str) -> None:
    _of_type(value, name, dict, "an object")
    if value.get("effort") is not None:
        check_text(value["effort"], f"{name}.effort")


def wrong_type(name: str, what: str) -> ServiceError:
    """The error for what is of another type than it must be."""
    return bad_request(f"'{name}' must be {what}.", param=name, code="invalid_type")


_CHECKS: Mapping[str, Callable[[Any, str], object]] = {
    **{name: partial(check_number, limits=limits) for name, limits in RANGES.items()},
    **{name: partial(check_number, limits=limits, whole=True) for name, limits in WHOLE_RANGES.items()},
    "seed": partial(check_number, limits=ANY, whole=True),
    "top_k": partial(check_number, limits=ANY, whole=True),
    "min_p": partial(check_number, limits=ANY),
    "repetition_penalty": partial(check_number, limits=ANY),
    "logit_bias": _check_bias,
    "logprobs": partial(_of_type, kind=bool, what="true or false"),
    "reasoning_effort": check_text,
    "verbosity": check_text,
    "reasoning": _check_reasoning,
    "audio": partial(_of_type, kind=dict, what="an object"),
    "suffix": check_text,
}
