"""Checks of the settings: names that nothing reads, and values captured by hand of which some are missing."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import chain

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.settings import NAMES, PREFIX, Settings
from shared.settings.reader import env_file, names_in_file

# Read by the program or the Compose file, though they are no settings of a service.
_OTHERS = ("FREEAICHAT_ENV_FILE", "FREEAICHAT_LIFELINE_FD", "FREEAICHAT_PROXIES", "FREEAICHAT_BALANCED_PORT")


def check_settings(settings: Settings) -> list[Check]:
    """The names in the environment and in `.env`, and the values captured by hand."""
    in_file = check_names(str(env_file()), names_in_file())
    return [*check_names("the environment", os.environ), *in_file, check_by_hand(settings)]


def check_names(place: str, names: Iterable[str]) -> list[Check]:
    """The *names* in *place* that look like settings and are none, each with the nearest right one."""
    known = known_names()
    unknown = [name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known]
    if not unknown:
        return [ok("settings", f"{place} names no unknown setting")]
    return [warn("settings", f"{name} in {place} is no setting", _mend(name, known)) for name in sorted(unknown)]


def known_names() -> set[str]:
    """Every name that can be set."""
    return {*chain.from_iterable(NAMES.values()), *_OTHERS}


def _mend(name: str, known: set[str]) -> str:
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
        there = ", ".join(name for name in values if name not in missing)
        return fail("by hand", f"{there} set, but not {', '.join(missing)}", "set all four from one visit, or none")
    return ok("by hand", "all four values captured by hand are set")
