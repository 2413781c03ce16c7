"""Check the settings: unknown names, incomplete manual credentials, models that do not exist, invalid origins, and an
interval that was hardly meant."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from urllib.parse import quote

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.cli.gateway import Gateway, GatewayError
from shared.cli.text import duration
from shared.models import Bot
from shared.parsing import Site
from shared.settings import NAMES, PREFIX, Settings
from shared.settings.reader import env_file, names_in_file

_SHORTEST_INTERVAL = 600.0  # seconds
# Read by the program or the Compose file, though they are no settings of a service.
_OTHERS = (
    *("FREEAICHAT_ENV_FILE", "FREEAICHAT_LIFELINE_FD", "FREEAICHAT_HANDOVER_FD"),
    *("FREEAICHAT_PROXIES", "FREEAICHAT_BALANCED_PORT"),
)


def check_settings(settings: Settings) -> list[Check]:
    """The names in the environment and in `.env`, the values captured by hand, and the further origins."""
    file = env_file().expanduser()
    in_file = check_names(str(file), names_in_file()) if file.exists() else [ok("settings", f"there is no file {file}")]
    further = [
        *check_interval(settings.harvest_interval),
        *check_pages(settings.sites),
        *check_origins(settings.cors_origins),
    ]
    return [*check_names("the environment", os.environ), *in_file, check_by_hand(settings), *further]


def check_names(source: str, names: Iterable[str]) -> list[Check]:
    """The unknown settings among *names* in *source*, each with the closest known one."""
    known = known_names()
    unknown = [name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known]
    if not unknown:
        return [ok("settings", f"{source} names no unknown setting")]
    return [warn("settings", f"{name} in {source} is no setting", _suggestion(name, known)) for name in sorted(unknown)]


def known_names() -> set[str]:
    """The names of all settings."""
    return {*chain.from_iterable(NAMES.values()), *_OTHERS}


def _suggestion(name: str, known: set[str]) -> str:
    near = get_close_matches(name.upper(), sorted(known), n=1)
    return f"write {near[0]} instead" if near else "remove it; the README lists the settings"


def check_by_hand(settings: Settings) -> Check:
    """Whether all or none of the values captured by hand are set."""
    values = {
        "COOKIE": settings.cookie.value,
        "AJAX_NONCE": settings.ajax_nonce.value,
        "SESSION_ID": settings.session_id.value,
        "POST_ID": settings.post_id,
    }
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(values):
        return ok("by hand", "no values captured by hand are set, and none are needed")
    if missing:
        present = ", ".join(name for name in values if name not in missing)
        return fail("by hand", f"{present} set, but not {', '.join(missing)}", "set all four from one visit, or none")
    return ok("by hand", "all four values captured by hand are set")


def check_interval(seconds: float) -> list[Check]:
    """A harvest interval that is shorter than anyone needs: most likely a number that was meant as hours."""
    if seconds >= _SHORTEST_INTERVAL:
        return []
    what = f"with FREEAICHAT_HARVEST_INTERVAL a browser visits each site every {duration(seconds)}"
    return [warn("interval", what, "write the unit, as in 6h: a number alone is seconds; a nonce lives 12 hours")]


def check_pages(sites: Iterable[Site]) -> list[Check]:
    """Pages of FREEAICHAT_SITES that are not used, since a page of the same origin stands before them."""
    mend = "name one page of each origin: the one that has the chat"
    return [
        warn("sites", f"FREEAICHAT_SITES has {', '.join(site.unused_urls)} after {site.url}, which alone is used", mend)
        for site in sites
        if site.unused_urls
    ]


def check_origins(origins: Iterable[str]) -> list[Check]:
    """Origins as no browser sends them: without a scheme, or with a path."""
    advice = "write scheme://host[:port], as browsers send it: https://app.example, or chrome-extension://*"
    return [
        warn("origins", f"FREEAICHAT_CORS_ORIGINS has {origin!r}, which is no origin", advice)
        for origin in origins
        if origin not in ("*", "null") and not _is_origin(origin)
    ]


def _is_origin(text: str) -> bool:
    scheme, separator, host = text.rstrip("/").partition("://")
    return bool(scheme and separator and host) and "/" not in host


def check_aliases(settings: Settings, bots: Mapping[str, Collection[Bot]]) -> Iterator[Check]:
    """Names of FREEAICHAT_MODELS that lead to no site, or to no bot that its page shows. *bots*: by origin."""
    for name, bot_id in settings.models.items():
        host = name.partition("@")[2] or settings.sites[0].host
        site = next((site for site in settings.sites if site.host == host), None)
        if site is None:
            advice = "write the host as FREEAICHAT_SITES has it"
            yield warn("models", f"FREEAICHAT_MODELS has {name!r}, but there is no site {host!r}", advice)
        elif (shown := bots.get(site.origin)) and bot_id not in {bot.id for bot in shown}:
            what = f"FREEAICHAT_MODELS leads {name!r} to bot {bot_id}, which the page of {site.origin} does not show"
            yield warn("models", what, "`freeaichat status` lists the bots with their ids")


def check_default_model(settings: Settings, gateway: Gateway) -> list[Check]:
    """Whether there is the model that answers for unknown names, as far as a running proxy tells."""
    name = settings.default_model
    try:
        if name:
            gateway.fetch(f"/v1/models/{quote(name, safe='/:@')}")
    except GatewayError as error:
        if error.code == "model_not_found":
            what = f"FREEAICHAT_DEFAULT_MODEL names {name!r}, which no site has"
            return [warn("models", what, "`freeaichat models` lists the names")]
    return []
