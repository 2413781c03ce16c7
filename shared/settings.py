"""All settings, read once at the edge of each program.

Names and meanings are those of the README's table. Values come from the environment, then from `.env` in the
working directory (or the file that `FREEAICHAT_ENV_FILE` names), then from the defaults here.
"""

import os
import socket
import sys
from collections.abc import Callable
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared import parsing
from shared.envfile import EnvFileSource, EnvironmentSource, undouble_dollars

MAX_SESSION_ID = 64  # PROTOCOL 7
MAX_WORKERS = 64
LOOPBACKS = ("127.0.0.1", "::1")  # what localhost means here, whatever the system's table of names says
MAX_STREAMS = 65_536  # what a system gives one process as connections, at most
LONGEST_INTERVAL = 365 * 86400.0
LONGEST = 100 * LONGEST_INTERVAL
SHARES_PORTS = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")  # and shares the connections out evenly
_SQLITE = "sqlite:///"
_BY_HAND = "the {} captured by hand; the four serve the first site, without a browser, until they fail"


def _at_most(longest: float) -> Callable[[float], float]:
    def check(seconds: float) -> float:
        if seconds > longest:
            raise ValueError(f"is longer than {longest / 86400:.0f}d, the most there may be")
        return seconds

    return check


def _at_home(path: Path) -> Path:
    """*path* with a `~` at its beginning followed; raises ValueError where it leads nowhere."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"nobody knows where {path.parts[0]} is; write the whole path") from None


def _file_at_home(path: str) -> str:
    return str(_at_home(Path(path))) if path.startswith("~") else path


def _store_at_home(url: str) -> str:
    path = url.removeprefix(_SQLITE)
    return f"{_SQLITE}{_file_at_home(path)}" if path != url else url


_Seconds = Annotated[float, BeforeValidator(parsing.duration), Field(gt=0, allow_inf_nan=False)]
Duration = Annotated[_Seconds, AfterValidator(_at_most(LONGEST))]
Size = Annotated[ByteSize, Field(gt=0)]
Interval = Annotated[_Seconds, AfterValidator(_at_most(LONGEST_INTERVAL))]


def _read(notation: Callable[[str], Any]) -> BeforeValidator:
    """Text is read in this notation; what is no text is taken as it is."""
    return BeforeValidator(lambda value: notation(value) if isinstance(value, str) else value)


_LOWER = _read(str.lower)
Sites = Annotated[tuple[parsing.Site, ...], NoDecode, _read(parsing.sites)]
Aliases = Annotated[dict[str, int], NoDecode, _read(parsing.pairs)]
Servers = Annotated[tuple[parsing.Server, ...], NoDecode, _read(parsing.servers)]
ServerKeys = Annotated[dict[str, SecretStr], NoDecode, _read(parsing.keys)]
Words = Annotated[tuple[str, ...], NoDecode, _read(parsing.words)]
Host = Annotated[str, _read(lambda text: text.removeprefix("[").removesuffix("]"))]  # as URLs have IPv6 addresses


def _one_line(value: SecretStr) -> SecretStr:
    if any(character < " " or character == "\x7f" for character in value.get_secret_value()):
        raise ValueError("holds a line break or another control character")
    return value


def _shareable(workers: int) -> int:
    if workers > 1 and not SHARES_PORTS:
        raise ValueError("this system shares no port among processes; set it to 1 and run a balancer before proxies")
    return workers


def _session_id(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) > MAX_SESSION_ID:
        raise ValueError(f"is longer than the {MAX_SESSION_ID} characters that a site takes")
    return value


def _of_server(name: str, info: ValidationInfo) -> str:
    """Raises ValueError unless *name* is `server/model`, of a server that the settings before it name."""
    server, slash, model = name.partition("/")
    known = [each.name.lower() for each in info.data.get("servers", ())]
    if name and (not slash or not model or server.lower() not in known):
        raise ValueError("is no model of a server in FREEAICHAT_SERVERS; write for example ollama/llama3.2")
    return name


Line = Annotated[SecretStr, AfterValidator(_one_line)]
Cookie = Annotated[Line, _read(undouble_dollars)]


class Settings(BaseSettings):
    """Everything that can be set. Raises pydantic's ValidationError for a value that makes no sense."""

    model_config = SettingsConfigDict(
        env_prefix="FREEAICHAT_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a mistyped secret must not be printed back
    )

    sites: Sites = Field(
        default=(parsing.site("https://chatgptfree.ai/"),),
        min_length=1,
        description="page URLs that carry the chat, in order of preference; each origin is one site",
    )
    api_key: Line | None = Field(
        default=None,
        validation_alias=AliasChoices("FREEAICHAT_API_KEY", "API_MASTER_KEY"),
        description="the master key; without one, a loopback bind is open and any other bind makes its own",
    )
    host: Host = Field(
        default=LOOPBACKS[0], description="address the proxy listens on; not set, or `localhost`: on ::1 as well"
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("FREEAICHAT_PORT", "PORT", "NGINX_PORT"),
        description="port the proxy listens on",
    )
    workers: Annotated[int, AfterValidator(_shareable)] = Field(
        default=1,
        ge=1,
        le=MAX_WORKERS,
        description="proxy processes that share the port, one for each processor core to be used (Linux)",
    )
    data_dir: Annotated[Path, AfterValidator(_at_home)] = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("freeaichat", appauthor=False)),
        description="where the store and the generated key live",
    )
    store: Annotated[str, AfterValidator(_store_at_home)] = Field(
        default="", repr=False, description="store URL: `sqlite:///PATH`, or `redis://HOST:PORT/0` for several machines"
    )
    harvest_interval: Interval = Field(default=6 * 3600.0, description="time between scheduled visits (jittered)")
    browser: Annotated[str, AfterValidator(_file_at_home)] = Field(
        default="", description="path of a Chromium-family browser"
    )
    models: Aliases = Field(default={}, description="`alias=bot_id` pairs added to what is discovered")
    default_model: str = Field(default="", description="model that answers for unknown names; none: 404")
    servers: Servers = Field(
        default=(),
        description="OpenAI-compatible servers beside the sites: `name=base_url` pairs "
        "(`ollama=http://127.0.0.1:11434/v1`); their models are called `name/model`",
    )
    server_keys: ServerKeys = Field(
        default={}, repr=False, description="`name=key` pairs: the API keys of servers that want one"
    )
    fallback_model: Annotated[str, AfterValidator(_of_server)] = Field(
        default="",
        description="a server's model (`ollama/llama3.2`) that answers when every site that has the model failed",
    )
    max_server: int = Field(
        default=32, ge=1, le=MAX_STREAMS, description="as `FREEAICHAT_MAX_UPSTREAM`, of each server"
    )
    keepalive: Annotated[Literal["comment", "chunk", "off"], _LOWER] = Field(
        default="comment", description="what fills silences in a stream"
    )
    max_upstream: int = Field(
        default=8,
        ge=1,
        le=MAX_STREAMS,
        description="streams open to one site at once, by all proxies of a store; more wait in a queue",
    )
    max_requests: int = Field(
        default=4096, ge=1, le=MAX_STREAMS, description="requests under way at once in each proxy; more get 503"
    )
    shutdown_timeout: Duration = Field(default=10.0, description="how long open streams may go on when told to stop")
    idle_timeout: Duration = Field(default=130.0, description="longest silence of a site in the middle of an answer")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _LOWER] = Field(
        default="info", description="least level logged"
    )
    log_format: Annotated[Literal["console", "json"], _LOWER] = Field(
        default="console", description="how log lines look"
    )
    max_body: Size = Field(default=ByteSize(32 * 1024**2), description="larger request bodies get 413")
    max_bodies: Size = Field(
        default=ByteSize(128 * 1024**2),
        description="what the requests under way in each proxy may hold together; more get 503",
    )
    cors_origins: Words = Field(
        default=(),
        description="further browser origins served without a key; `*` is any part (`chrome-extension://*`), alone all",
    )
    tools: Annotated[Literal["emulate", "refuse", "ignore"], _LOWER] = Field(
        default="emulate",
        description="tools and schemas where a site has none: `emulate`, `refuse` (400), `ignore` (answered in text)",
    )
    tool_retries: int = Field(
        default=1, ge=0, le=3, description="tries more where a call or JSON came out wrong; each is a turn of the quota"
    )
    history: Annotated[Literal["auto", "continue", "replay"], _LOWER] = Field(
        default="auto",
        description="`continue` always uses the site's own memory, `replay` never; `auto`: only while it is exact",
    )
    history_limit: int = Field(
        default=4, ge=0, description="messages the site may have to remember in `auto`; more are replayed"
    )
    max_transcript: int = Field(
        default=400_000, ge=1000, description="characters of a replayed history; above it the oldest turns are left out"
    )
    retention: Duration = Field(default=30 * 86400.0, description="conversations unused for so long are dropped")
    max_stored: ByteSize = Field(
        default=ByteSize(512 * 1024**2),
        description="what conversations may take in all; above it the oldest go",
    )
    usage_retention: Duration = Field(default=90 * 86400.0, description="what was used is kept by the hour for so long")
    cookie: Cookie = Field(
        default=SecretStr(""), validation_alias="COOKIE", description=_BY_HAND.format("Cookie header")
    )
    ajax_nonce: Line = Field(default=SecretStr(""), validation_alias="AJAX_NONCE", description=_BY_HAND.format("nonce"))
    session_id: Annotated[Line, AfterValidator(_session_id)] = Field(
        default=SecretStr(""), validation_alias="SESSION_ID", description=_BY_HAND.format("session id")
    )
    post_id: int = Field(default=0, ge=0, validation_alias="POST_ID", description=_BY_HAND.format("post id"))

    def key_of(self, server: parsing.Server) -> str:
        """The API key of *server*; empty: it wants none."""
        keys = {name.lower(): key.get_secret_value() for name, key in self.server_keys.items()}
        return keys.get(server.name.lower(), "")

    @cached_property
    def store_url(self) -> str:
        """The store's URL, with the default filled in."""
        return self.store or f"sqlite:///{self.data_dir / 'freeaichat.db'}"

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The addresses, or names, that the proxy listens on. Only the first has to be one of this machine."""
        is_named = "host" in self.model_fields_set and self.host.lower() != "localhost"
        return (self.host,) if is_named else LOOPBACKS

    @cached_property
    def is_loopback_bind(self) -> bool:
        """Whether only this machine can reach the proxy."""
        if self.hosts is LOOPBACKS:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before `.env`, both read by sources of our own."""
        path = Path(os.environ.get("FREEAICHAT_ENV_FILE", ".env"))
        return init_settings, EnvironmentSource(settings_cls), EnvFileSource(settings_cls, path)


def load(**overrides: Any) -> Settings:
    """Read the settings of this process. *overrides* win over everything (command-line options)."""
    return Settings(**{name: value for name, value in overrides.items() if value is not None})


def explain(error: ValidationError) -> str:
    """What is wrong with the settings, one line each, without the values: they may be secret."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        shown = name if name.isupper() else f"FREEAICHAT_{name.upper()}"
        lines.append(f"{shown}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
