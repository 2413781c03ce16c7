"""The types of the settings: how each is parsed from a string and validated by pydantic.

The results are plain values, without pydantic's own types.
"""

import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, GetPydanticSchema, ValidationInfo

from shared import parsing
from shared.secrets import Secret

MAX_SESSION_ID = 64  # PROTOCOL 7
MAX_WORKERS = 64
MAX_STREAMS = 65_536  # what a system gives one process as connections, at most
MAX_INTERVAL = 365 * 86400.0
MAX_DURATION = 100 * MAX_INTERVAL
SHARES_PORTS = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")  # and shares the connections out evenly
_SQLITE = "sqlite:///"
_DOLLARS = re.compile(r"\$+")


def _parsed(parser: Callable[[str], Any]) -> BeforeValidator:
    """A validator that parses strings with *parser*, and passes other values on."""
    return BeforeValidator(lambda value: parser(value) if isinstance(value, str) else value)


def _at_most(maximum: float) -> Callable[[float], float]:
    def check(seconds: float) -> float:
        if seconds > maximum:
            raise ValueError(f"is longer than {maximum / 86400:.0f}d, the most there may be")
        return seconds

    return check


def _host(text: str) -> str:
    """Validate an address or a name; an IPv6 address may be in brackets, as in URLs. Raises ValueError."""
    host = text.removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        if ":" in host:
            ip_address(host)  # no name has a colon: it would be a port's, or an URL's
        encoded = host.encode("idna")  # as whoever listens or connects there does
        if "/" not in host and all(0x20 < byte < 0x7F for byte in encoded):
            return host
    raise ValueError("is no host; write an address of this machine, for example 127.0.0.1 or 0.0.0.0")


def _expand_home(path: Path) -> Path:
    """*path* with a leading `~` expanded. Raises ValueError for an unknown user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"nobody knows where {path.parts[0]} is; write the whole path") from None


def _expand_file(path: str) -> str:
    return str(_expand_home(Path(path))) if path.startswith("~") else path


def _expand_store_url(url: str) -> str:
    path = url.removeprefix(_SQLITE)
    return f"{_SQLITE}{_expand_file(path)}" if path != url else url


def _validate_line(secret: Secret) -> Secret:
    if any(character < " " or character == "\x7f" for character in secret.value):
        raise ValueError("holds a line break or another control character")
    return secret


def undouble_dollars(cookie: str) -> str:
    """Turn `$$` into `$` when every `$` is doubled (as Compose once demanded), else leave the text alone."""
    dollar_runs = _DOLLARS.findall(cookie)
    if dollar_runs and all(len(run) % 2 == 0 for run in dollar_runs):
        return cookie.replace("$$", "$")
    return cookie


def _validate_workers(workers: int) -> int:
    if workers > 1 and not SHARES_PORTS:
        raise ValueError("this system shares no port among processes; set it to 1 and run a balancer before proxies")
    return workers


def _validate_session_id(secret: Secret) -> Secret:
    if len(secret.value) > MAX_SESSION_ID:
        raise ValueError(f"is longer than the {MAX_SESSION_ID} characters that a site takes")
    return secret


def _validate_server_model(name: str, info: ValidationInfo) -> str:
    """Validate `server/model`; the server has to be among the `servers` read before. Raises ValueError."""
    server, slash, model = name.partition("/")
    known = [each.name.lower() for each in info.data.get("servers", ())]
    if name and (not slash or not model or server.lower() not in known):
        raise ValueError("is no model of a server in FREEAICHAT_SERVERS; write for example ollama/llama3.2")
    return name


def _bytes(*rules: Any) -> GetPydanticSchema:
    """The schema of a number of bytes, which may have a unit."""
    size: Any = ByteSize
    for rule in (*rules, AfterValidator(int)):
        size = Annotated[size, rule]
    return GetPydanticSchema(lambda _, handler: handler.generate_schema(size))


_LOWER = _parsed(str.lower)
_Seconds = Annotated[float, BeforeValidator(parsing.duration), Field(gt=0, allow_inf_nan=False)]
_Secret = Annotated[Secret, _parsed(Secret)]

Duration = Annotated[_Seconds, AfterValidator(_at_most(MAX_DURATION))]
Interval = Annotated[_Seconds, AfterValidator(_at_most(MAX_INTERVAL))]
Size = Annotated[int, _bytes(Field(gt=0))]
Limit = Annotated[int, _bytes()]
Count = Annotated[int, Field(ge=0)]
Streams = Annotated[int, Field(ge=1, le=MAX_STREAMS)]
Characters = Annotated[int, Field(ge=1000)]
Retries = Annotated[int, Field(ge=0, le=3)]
Port = Annotated[int, Field(ge=0, le=65535)]
Workers = Annotated[int, Field(ge=1, le=MAX_WORKERS), AfterValidator(_validate_workers)]
Host = Annotated[str, _parsed(_host)]
Directory = Annotated[Path, AfterValidator(_expand_home)]
Program = Annotated[str, AfterValidator(_expand_file)]
StoreUrl = Annotated[str, AfterValidator(_expand_store_url)]
Sites = Annotated[tuple[parsing.Site, ...], _parsed(parsing.sites), Field(min_length=1)]
Aliases = Annotated[dict[str, int], _parsed(parsing.pairs)]
Servers = Annotated[tuple[parsing.Server, ...], _parsed(parsing.servers)]
ServerKeys = Annotated[dict[str, _Secret], _parsed(parsing.keys)]
ServerModel = Annotated[str, AfterValidator(_validate_server_model)]
Words = Annotated[tuple[str, ...], _parsed(parsing.words)]
Line = Annotated[_Secret, AfterValidator(_validate_line)]
Cookie = Annotated[Line, _parsed(undouble_dollars)]
SessionId = Annotated[Line, AfterValidator(_validate_session_id)]
Keepalive = Annotated[Literal["comment", "chunk", "off"], _LOWER]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], _LOWER]
LogFormat = Annotated[Literal["console", "json"], _LOWER]
Tools = Annotated[Literal["emulate", "refuse", "ignore"], _LOWER]
History = Annotated[Literal["auto", "continue", "replay"], _LOWER]
