"""The report of `freeaichat status` as text. Pure."""

from collections.abc import Iterator
from typing import Any

import click

from shared.cli import text

Report = dict[str, Any]  # as `status.gather` makes it

MODELS_SHOWN = 20


def lines(report: Report, now: float) -> Iterator[str]:
    """The whole report; *now* is in Unix seconds."""
    yield f"store: {report['store']['url']} (schema {report['store']['schema']})"
    yield f"proxy: {_proxy(report['proxy'])}"
    yield f"harvester: {_harvester(report['harvester'], now)}"
    yield f"keys: {_keys(report['keys'])}"
    for site in report["sites"]:
        yield ""
        yield click.style(site["site"], bold=True) + (f" ({text.plugin(site['kind'])})" if site["kind"] else "")
        yield from _health(report["proxy"], site["site"], now)
        yield from _credentials(site, now)
        yield from _bots(site["bots"])
        yield from _visits(site["visits"], now)
    for server in report["servers"]:
        yield ""
        yield f"{click.style(server['server'], bold=True)} (OpenAI-compatible server at {server['base_url']})"
        yield from _health(report["proxy"], server["server"], now)
        if report["proxy"]["running"]:
            yield f"  models ({len(server['models'])}): {', '.join(server['models'][:MODELS_SHOWN]) or 'none known'}"


def _proxy(proxy: Report) -> str:
    if not proxy["running"]:
        return f"not running at {proxy['base_url']} (`freeaichat up` starts it)"
    state = click.style("ready", fg="green") if proxy["ready"] else click.style(proxy["reason"], fg="red")
    if proxy["ready"] and proxy["reason"]:
        state += click.style(f" (degraded: {proxy['reason']})", fg="yellow")
    return f"{proxy['base_url']}, {state}"


def _health(proxy: Report, origin: str, now: float) -> Iterator[str]:
    """The lines on a site's problems that the running proxy reports."""
    for site in proxy.get("sites", []):
        if site["site"] != origin:
            continue
        if site["reason"] and site["kind"] == "openai_server":
            yield f"  {click.style(site['reason'], fg='red')}"
        if site["breaker"] != "closed":
            yield f"  circuit breaker: {click.style(site['breaker'].replace('_', ' '), fg='yellow')}"
        if site["cooldown_until"]:
            left = text.duration(site["cooldown_until"] - now)
            yield f"  cooldown (a bot refuses, or a quota or limit is reached): other sites come first for {left}"
        if site["queued"]:
            yield f"  {site['open_streams']} streams open, {site['queued']} requests waiting"


def _harvester(harvester: Report, now: float) -> str:
    beat_at = harvester["heartbeat_at"]
    if beat_at is None:
        return "never ran with this store (`freeaichat up` starts it)"
    age = f"heartbeat {text.ago(beat_at, now)}"
    if harvester["running"]:
        return f"{click.style('running', fg='green')}, {age}"
    return f"{click.style('not running', fg='red')}, last {age} (`freeaichat up` starts it)"


def _keys(keys: Report) -> str:
    if not keys["made"]:
        return "none made for others (`freeaichat keys create` makes one)"
    return f"{keys['working']} of {keys['made']} made for others work (`freeaichat keys list`)"


def _source(credentials: Report) -> str:
    taken = "hand, from the settings" if credentials["is_manual"] else "a visit"
    return f"{taken}, renewed since" if credentials["source"] == "renewal" else taken


def _credentials(site: Report, now: float) -> Iterator[str]:
    found = site["credentials"]
    if found is None:
        yield "  credentials: none were captured yet"
        return
    seconds_left = found["nonce_renew_by"] - now
    if found["nonce_may_have_expired"]:
        renewal = click.style(f"may have expired {text.duration(-seconds_left)} ago", fg="yellow")
    else:
        renewal = f"renewed in {text.duration(seconds_left)} at the latest"
    yield from text.table(
        [
            ("credentials", f"by {_source(found)}, {text.ago(found['captured_at'], now)}"),
            ("page", _page(site)),
            ("plugin", text.plugin(site["kind"])),
            ("generation", str(found["generation"])),
            ("session", f"{found['session']}, {found['cookie']}"),
            ("nonce", f"checked {text.ago(found['nonce_checked_at'], now)}, {renewal}"),
        ]
    )


def _page(site: Report) -> str:
    if not site["is_other_page"]:
        return str(site["page"])
    return f"{site['page']} {click.style('(not ' + site['named_page'] + ', which the settings name)', fg='yellow')}"


def _bots(bots: list[Report]) -> Iterator[str]:
    if bots:
        yield f"  bots ({len(bots)})"
    yield from text.table([(str(bot["id"]), *text.named(bot), ", ".join(bot["models"])) for bot in bots], indent="    ")


def _visits(visits: list[Report], now: float) -> Iterator[str]:
    yield "  last visits" if visits else "  no visit yet"
    yield from text.table(
        [
            (
                text.ago(visit["started_at"], now),
                text.outcome(visit["outcome"]),
                f"{visit['seconds']:.1f} s",
                visit["trigger"],
                text.sanitized(visit["reason"]),
            )
            for visit in visits
        ],
        indent="    ",
    )
