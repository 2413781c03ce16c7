"""All settings, read once at the edge of each program.

Names and meanings are those of the README's table. Values come from the environment, then from `.env` in the
working directory (or the file that `FREEAICHAT_ENV_FILE` names), then from the defaults here. pydantic checks
them; what a program holds are plain values, so that it need not keep the reader in memory (`load_in_fork`).
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
from shared.processes import handover
from shared.processes.forked_call import call_in_fork
from shared.secrets import Secret

if TYPE_CHECKING:
    from shared.settings import field_types

PREFIX = "FREEAICHAT_"
LOOPBACKS = ("127.0.0.1", "::1")  # what localhost means here, whatever the system's table of names says
_BY_HAND = "the {} captured by hand; the four serve the first site, without a browser, until they fail"


class SettingsError(ValueError):
    """The settings are invalid. The message has a line for each problem, without values, which may be secret."""


def _default_data_dir() -> Path:
    """The default data directory of this user. Raises `SettingsError`."""
    try:
        return Path(platformdirs.user_data_dir("freeaichat", appauthor=False))
    except RuntimeError:
        raise SettingsError("FREEAICHAT_DATA_DIR: must name a directory, since this user has no home") from None


def setting(default: Any, meaning: str, *names: str, is_shown: bool = True) -> Any:
    """Declare a field of `Settings`. *names*: its environment variables, if not `FREEAICHAT_` and its name."""
    metadata = {"meaning": meaning, "names": names}
    if callable(default):
        return field(default_factory=default, repr=is_shown, metadata=metadata)
    return field(default=default, repr=is_shown, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. `load` reads and validates them; the constructor does not."""

    sites: field_types.Sites = setting(
        (parsing.site("https://chatgptfree.ai/"),),
        "page URLs that carry the chat, in order of preference; each origin is one site",
    )
    api_key: field_types.Line = setting(
        Secret(),
        "the master key; without one, a loopback bind is open and any other bind makes its own",
        *("FREEAICHAT_API_KEY", "API_MASTER_KEY"),
    )
    host: field_types.Host = setting(
        LOOPBACKS[0], "address the proxy listens on; not set, or `localhost`: on ::1 as well"
    )
    port: field_types.Port = setting(8080, "port the proxy listens on", "FREEAICHAT_PORT", "PORT", "NGINX_PORT")
    workers: field_types.Workers = setting(
        1, "proxy processes that share the port, one for each processor core to be used (Linux)"
    )
    data_dir: field_types.Directory = setting(_default_data_dir, "where the store and the generated key live")
    store: field_types.StoreUrl = setting(
        "", "store URL: `sqlite:///PATH`, or `redis://HOST:PORT/0` for several machines", is_shown=False
    )
    harvest_interval: field_types.Interval = setting(6 * 3600.0, "time between scheduled visits (jittered)")
    browser: field_types.Program = setting("", "path of a Chromium-family browser")
    models: field_types.Aliases = setting(dict, "`alias=bot_id` pairs added to what is discovered")
    default_model: str = setting("", "model that answers for unknown names; none: 404")
    servers: field_types.Servers = setting(
        (),
        "OpenAI-compatible servers beside the sites: `name=base_url` pairs "
        "(`ollama=http://127.0.0.1:11434/v1`); their models are called `name/model`",
    )
    server_keys: field_types.ServerKeys = setting(
        dict, "`name=key` pairs: the API keys of servers that want one", is_shown=False
    )
    fallback_model: field_types.ServerModel = setting(
        "", "a server's model (`ollama/llama3.2`) that answers when every site that has the model failed"
    )
    max_server: field_types.Streams = setting(32, "as `FREEAICHAT_MAX_UPSTREAM`, of each server")
    keepalive: field_types.Keepalive = setting("comment", "what fills silences in a stream")
    max_upstream: field_types.Streams = setting(
        8, "streams open to one site at once, by all proxies of a store; more wait in a queue"
    )
    max_requests: field_types.Streams = setting(4096, "requests under way at once in each proxy; more get 503")
    shutdown_timeout: field_types.Duration = setting(10.0, "how long open streams may go on when told to stop")
    idle_timeout: field_types.Duration = setting(130.0, "longest silence of a site in the middle of an answer")
    log_level: field_types.LogLevel = setting("info", "least level logged")
    log_format: field_types.LogFormat = setting("console", "how log lines look")
    max_body: field_types.Size = setting(32 * 1024**2, "larger request bodies get 413")
    max_bodies: field_types.Size = setting(
        128 * 1024**2, "what the requests under way in each proxy may hold together; more get 503"
    )
    cors_origins: field_types.Words = setting(
        (), "further browser origins served without a key; `*` is any part (`chrome-extension://*`), alone all"
    )
    tools: field_types.Tools = setting(
        "emulate",
        "tools and schemas where a site has none: `emulate`, `refuse` (400), `ignore` (answered in text)",
    )
    tool_retries: field_types.Retries = setting(
        1, "tries more where a call or JSON came out wrong; each is a turn of the quota"
    )
    history: field_types.History = setting(
        "auto", "`continue` always uses the site's own memory, `replay` never; `auto`: only while it is exact"
    )
    history_limit: field_types.Count = setting(4, "messages the site may have to remember in `auto`; more are replayed")
    max_transcript: field_types.Characters = setting(
        400_000, "characters of a replayed history; above it the oldest turns are left out"
    )
    retention: field_types.Duration = setting(30 * 86400.0, "conversations unused for so long are dropped")
    max_stored: field_types.Limit = setting(512 * 1024**2, "what conversations may take in all; above it the oldest go")
    usage_retention: field_types.Duration = setting(90 * 86400.0, "what was used is kept by the hour for so long")
    cookie: field_types.Cookie = setting(Secret(), _BY_HAND.format("Cookie header"), "COOKIE")
    ajax_nonce: field_types.Line = setting(Secret(), _BY_HAND.format("nonce"), "AJAX_NONCE")
    session_id: field_types.SessionId = setting(Secret(), _BY_HAND.format("session id"), "SESSION_ID")
    post_id: field_types.Count = setting(0, _BY_HAND.format("post id"), "POST_ID")
    # The names of the fields that are set, and not defaults.
    set_fields: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def server_key(self, server: parsing.Server) -> str:
        """The API key for *server*; "" if it needs none."""
        keys = {name.lower(): key.value for name, key in self.server_keys.items()}
        return keys.get(server.name.lower(), "")

    @property
    def has_manual_values(self) -> bool:
        """Whether credentials captured by hand are set."""
        return any(value.value for value in (self.cookie, self.ajax_nonce, self.session_id))

    @cached_property
    def store_url(self) -> str:
        """The store's URL, with the default filled in."""
        return self.store or f"sqlite:///{self.data_dir / 'freeaichat.db'}"

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The addresses, or names, that the proxy listens on. Only the first has to be one of this machine."""
        is_named = "host" in self.set_fields and self.host.lower() != "localhost"
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


def load_in_fork(**overrides: Any) -> Callable[[], Settings]:
    """Start `load` in a forked process; the returned callable waits for the result.

    The reader takes 12 MB, which a service would otherwise keep for as long as it runs. Settings that were handed to
    this process (`hand_over`) are not read again.
    """
    handed = handover.take_over()
    if handed is None:
        return call_in_fork(lambda: load(**overrides))
    values = handed | {name: value for name, value in overrides.items() if value is not None}
    return lambda: Settings(**values, set_fields=frozenset(values))


def hand_over(settings: Settings, **changes: Any) -> None:
    """Hand *settings*, with *changes*, to all processes that are started from now on: see `shared.processes.handover`.

    Only the values that are set: a process of a newer version has its own defaults.
    """
    values = {name: getattr(settings, name) for name in settings.set_fields}
    handover.hand_over(values | changes)
