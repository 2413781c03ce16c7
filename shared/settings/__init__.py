"""All settings, read once at the edge of each program.

Names and meanings are those of the README's table. Values come from the environment, then from `.env` in the
working directory (or the file that `FREEAICHAT_ENV_FILE` names), then from the defaults here. pydantic-settings reads
and checks them; what a program holds are plain values, so that it need not keep the reader in memory (`load_apart`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from shared import parsing
from shared.processes.apart import begin
from shared.secrets import Secret

if TYPE_CHECKING:
    from shared.settings import notations

PREFIX = "FREEAICHAT_"
LOOPBACKS = ("127.0.0.1", "::1")  # what localhost means here, whatever the system's table of names says
_BY_HAND = "the {} captured by hand; the four serve the first site, without a browser, until they fail"


class SettingsError(ValueError):
    """The settings make no sense. Its text says what is wrong, one line each, without the values: they may be
    secret."""


def _own_data_dir() -> Path:
    """Where this user's programs keep their data. Raises `SettingsError`."""
    try:
        return Path(platformdirs.user_data_dir("freeaichat", appauthor=False))
    except RuntimeError:
        raise SettingsError("FREEAICHAT_DATA_DIR: must name a directory, since this user has no home") from None


def setting(default: Any, meaning: str, *names: str, is_shown: bool = True) -> Any:
    """A field of `Settings`. *names*: the variables that set it, where they are not `FREEAICHAT_` and its name."""
    metadata = {"meaning": meaning, "names": names}
    if callable(default):
        return field(default_factory=default, repr=is_shown, metadata=metadata)
    return field(default=default, repr=is_shown, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set. `load` reads and checks it; what is made without it is taken as it is."""

    sites: notations.Sites = setting(
        (parsing.site("https://chatgptfree.ai/"),),
        "page URLs that carry the chat, in order of preference; each origin is one site",
    )
    api_key: notations.Line | None = setting(
        None,
        "the master key; without one, a loopback bind is open and any other bind makes its own",
        *("FREEAICHAT_API_KEY", "API_MASTER_KEY"),
    )
    host: notations.Host = setting(
        LOOPBACKS[0], "address the proxy listens on; not set, or `localhost`: on ::1 as well"
    )
    port: notations.Port = setting(8080, "port the proxy listens on", "FREEAICHAT_PORT", "PORT", "NGINX_PORT")
    workers: notations.Workers = setting(
        1, "proxy processes that share the port, one for each processor core to be used (Linux)"
    )
    data_dir: notations.Directory = setting(_own_data_dir, "where the store and the generated key live")
    store: notations.StoreUrl = setting(
        "", "store URL: `sqlite:///PATH`, or `redis://HOST:PORT/0` for several machines", is_shown=False
    )
    harvest_interval: notations.Interval = setting(6 * 3600.0, "time between scheduled visits (jittered)")
    browser: notations.Program = setting("", "path of a Chromium-family browser")
    models: notations.Aliases = setting(dict, "`alias=bot_id` pairs added to what is discovered")
    default_model: str = setting("", "model that answers for unknown names; none: 404")
    servers: notations.Servers = setting(
        (),
        "OpenAI-compatible servers beside the sites: `name=base_url` pairs "
        "(`ollama=http://127.0.0.1:11434/v1`); their models are called `name/model`",
    )
    server_keys: notations.ServerKeys = setting(
        dict, "`name=key` pairs: the API keys of servers that want one", is_shown=False
    )
    fallback_model: notations.ServerModel = setting(
        "", "a server's model (`ollama/llama3.2`) that answers when every site that has the model failed"
    )
    max_server: notations.Streams = setting(32, "as `FREEAICHAT_MAX_UPSTREAM`, of each server")
    keepalive: notations.Keepalive = setting("comment", "what fills silences in a stream")
    max_upstream: notations.Streams = setting(
        8, "streams open to one site at once, by all proxies of a store; more wait in a queue"
    )
    max_requests: notations.Streams = setting(4096, "requests under way at once in each proxy; more get 503")
    shutdown_timeout: notations.Duration = setting(10.0, "how long open streams may go on when told to stop")
    idle_timeout: notations.Duration = setting(130.0, "longest silence of a site in the middle of an answer")
    log_level: notations.LogLevel = setting("info", "least level logged")
    log_format: notations.LogFormat = setting("console", "how log lines look")
    max_body: notations.Size = setting(32 * 1024**2, "larger request bodies get 413")
    max_bodies: notations.Size = setting(
        128 * 1024**2, "what the requests under way in each proxy may hold together; more get 503"
    )
    cors_origins: notations.Words = setting(
        (), "further browser origins served without a key; `*` is any part (`chrome-extension://*`), alone all"
    )
    tools: notations.Tools = setting(
        "emulate",
        "tools and schemas where a site has none: `emulate`, `refuse` (400), `ignore` (answered in text)",
    )
    tool_retries: notations.Retries = setting(
        1, "tries more where a call or JSON came out wrong; each is a turn of the quota"
    )
    history: notations.History = setting(
        "auto", "`continue` always uses the site's own memory, `replay` never; `auto`: only while it is exact"
    )
    history_limit: notations.Count = setting(4, "messages the site may have to remember in `auto`; more are replayed")
    max_transcript: notations.Characters = setting(
        400_000, "characters of a replayed history; above it the oldest turns are left out"
    )
    retention: notations.Duration = setting(30 * 86400.0, "conversations unused for so long are dropped")
    max_stored: notations.Limit = setting(512 * 1024**2, "what conversations may take in all; above it the oldest go")
    usage_retention: notations.Duration = setting(90 * 86400.0, "what was used is kept by the hour for so long")
    cookie: notations.Cookie = setting(Secret(), _BY_HAND.format("Cookie header"), "COOKIE")
    ajax_nonce: notations.Line = setting(Secret(), _BY_HAND.format("nonce"), "AJAX_NONCE")
    session_id: notations.SessionId = setting(Secret(), _BY_HAND.format("session id"), "SESSION_ID")
    post_id: notations.Count = setting(0, _BY_HAND.format("post id"), "POST_ID")
    # The fields above that something sets.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def key_of(self, server: parsing.Server) -> str:
        """The API key of *server*; empty: it wants none."""
        keys = {name.lower(): key.value for name, key in self.server_keys.items()}
        return keys.get(server.name.lower(), "")

    @property
    def has_values_by_hand(self) -> bool:
        """Whether credentials captured by hand are set."""
        return any(value.value for value in (self.cookie, self.ajax_nonce, self.session_id))

    @cached_property
    def store_url(self) -> str:
        """The store's URL, with the default filled in."""
        return self.store or f"sqlite:///{self.data_dir / 'freeaichat.db'}"

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The addresses, or names, that the proxy listens on. Only the first has to be one of this machine."""
        is_named = "host" in self.given and self.host.lower() != "localhost"
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


# Each setting and the environment variables that set it, the first being the one to use.
NAMES = {
    each.name: each.metadata["names"] or (f"{PREFIX}{each.name.upper()}",) for each in fields(Settings) if each.metadata
}


def load(**overrides: Any) -> Settings:
    """Read the settings of this process. *overrides* win over everything (command-line options).

    Raises `SettingsError`.
    """
    from shared.settings.reader import read

    return read({name: value for name, value in overrides.items() if value is not None})


def load_apart(**overrides: Any) -> Callable[[], Settings]:
    """Begin to `load` in a process of its own; what is returned waits for the outcome.

    The reader takes 12 MB, which a service would hold for months after its first tenth of a second.
    """
    return begin(lambda: load(**overrides))
