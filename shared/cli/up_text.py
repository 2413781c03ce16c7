"""The lines that `freeaichat up` prints until it is ready. Pure."""

import json
import shlex

import click

from shared.cli import text
from shared.cli.master_key import MasterKey
from shared.models import Cause, Outcome, SiteState, Step, Visit

NO_KEY = "no key needed on this machine"
_HEADED = "run `freeaichat harvest --headed{{site}}` and {} yourself in the window that it opens"
_WHO_FAILS = "run `freeaichat doctor`: it tells whether this machine, the network or the site is at fault"
WHAT_TO_DO: dict[str, str] = {  # after a visit that failed: by its cause, else its outcome
    Cause.AGE: _HEADED.format("answer"),
    Cause.CLICK: _HEADED.format("click") + ", or name the page that shows the chat at once in FREEAICHAT_SITES",
    Cause.NO_PLACE: "mend that",  # which the reason tells; another browser does not help
    Cause.STORE: "mend that",
    Outcome.CHALLENGE: _HEADED.format("pass the check"),
    Outcome.NO_CHAT: "open the page in a browser of your own, and name the one that has the chat in FREEAICHAT_SITES",
    Outcome.SITE_ERROR: _WHO_FAILS,
    Outcome.TIMEOUT: _WHO_FAILS,
    Outcome.BROWSER_ERROR: "run `freeaichat doctor`: it looks at the browser, and `freeaichat browser install --force` "
    "gets another one",
}


def captured_lines(state: SiteState, *, page_seconds: float, capture_seconds: float) -> list[str]:
    """The lines of a captured visit: seconds to the page, and from there to the credentials."""
    return [
        f"page visited: {state.current.page_url} ({page_seconds:.1f} s)",
        f"credentials captured: {text.credentials_line(state.current, state.bots)} ({capture_seconds:.1f} s)",
    ]


def visit_lines(visit: Visit, state: SiteState | None, *, is_first: bool = True, has_others: bool = False) -> list[str]:
    """What a recorded visit brought, or why it failed and what happens next. *state*: what the store holds now.

    *is_first*: the site is the one that `freeaichat harvest` visits unless told otherwise. *has_others*: another site
    or a server may answer.
    """
    reason = text.sanitized(visit.reason)
    if visit.outcome is Outcome.CAPTURED and state is not None:
        page = sum(visit.steps.get(step, 0.0) for step in (Step.BROWSER, Step.PAGE))
        lines = captured_lines(state, page_seconds=page, capture_seconds=max(visit.seconds - page, 0.0))
        return [*lines, reason] if reason else lines
    without = "the others answer meanwhile" if has_others else "until one succeeds, requests get 503"
    serves = "the credentials kept from before serve meanwhile" if state else without
    advice = WHAT_TO_DO.get(visit.cause) or WHAT_TO_DO.get(visit.outcome, "run `freeaichat doctor`")
    what_to_do = advice.format(site="" if is_first else f" --site {visit.site}")
    return [
        f"visit of {visit.site} failed: {text.outcome(visit.outcome)} after {visit.seconds:.1f} s: {reason}",
        f"{click.style('what to do:', bold=True)} {what_to_do}",
        f"trying again by itself, soon and then ever more rarely; {serves}",
    ]


def page_lines(state: SiteState, named: str) -> list[str]:
    """A line if the chat in use is on another page than *named*, the one of the settings."""
    found = state.current
    if not found.is_on_other_page(named):
        return []
    return [f"this is the chat of {found.page_url}, not of {named}, which the settings name"]


def kept_line(state: SiteState, now: float) -> str:
    """The line for credentials that were stored before."""
    what = text.credentials_line(state.current, state.bots)
    if state.current.is_manual:
        return f"credentials taken from the settings: {what}"
    return f"credentials kept: {what}, captured {text.ago(state.current.captured_at, now)}"


def key_line(key: MasterKey | None) -> str:
    """The line that says where the key is."""
    if key is None:
        return f"key: {NO_KEY}"
    return f"key: kept in {key.place}" if key.file else f"key: {key.place}"


def curl_line(base_url: str, model: str, key: MasterKey | None) -> str:
    """A curl command that streams an answer, to be pasted into a shell on this machine."""
    request = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}
    body = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
    arguments = ["curl", "-N", shlex.quote(f"{base_url}/chat/completions")]
    if key is not None:
        arguments += ["-H", key.shell_word]
    arguments += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(body)]
    return " ".join(arguments)


def ready_lines(base_url: str, model: str, key: MasterKey | None, *, seconds: float) -> list[str]:
    """The lines once requests can be answered, with how to send one to *model*. *seconds*: since the start."""
    return [
        f"{click.style('ready', fg='green')} ({seconds:.1f} s)",
        f"base URL: {click.style(base_url, bold=True)}",
        key_line(key),
        f"in a browser: {base_url.removesuffix('/v1')}/",
        "try it:",
        curl_line(base_url, model, key),
    ]
