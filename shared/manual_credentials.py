"""Values captured by hand: COOKIE, AJAX_NONCE, SESSION_ID and POST_ID become the first site's starting credentials."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from shared.models import Capture, Credentials, SiteState
from shared.parsing import Site
from shared.plugins.aipkit.observed_request import AJAX_PATH
from shared.plugins.aipkit.page import GUEST_ID_KEY
from shared.settings import Settings
from shared.store import StaleWrite, Store

SEED_ATTEMPTS = 5  # others may store newer credentials in between


async def seed_manual(store: Store, settings: Settings, *, now: float) -> Credentials | None:
    """Store the values captured by hand if they are new, and return them as credentials; None if they are not.

    They are new when the store has nothing for the site, or when they differ from those stored by hand last: so an
    edited `.env` wins over what is stored, and an unchanged one never replaces what was harvested since. What is not
    given by hand stays as it is stored. *now* is in Unix seconds. Raises what `Store` methods raise.
    """
    if not settings.has_manual_values:
        return None
    site = settings.sites[0]
    key, digest = f"seeded by hand: {site.origin}", _digest(settings)
    new_session_id = str(uuid4())
    stale = StaleWrite(None)
    for _ in range(SEED_ATTEMPTS):
        state = await store.site_state(site.origin)
        if state is not None and await store.get_note(key) == digest:
            return None
        stored = await store.identity(site.origin)
        session_id = settings.session_id.value or guest_id(stored, site.origin) or new_session_id
        capture = Capture(
            credentials=_credentials(settings, state, session_id, now),
            bots=state.bots if state else (),
            identity=merged_identity(stored, site, cookie=settings.cookie.value, session_id=session_id),
        )
        try:
            saved = await store.save_capture(capture, base=state.current.generation if state else 0)
        except StaleWrite as error:
            stale = error
            continue
        await store.set_note(key, digest)
        return saved
    raise stale


def guest_id(identity: str | None, origin: str) -> str:
    """The session id that *identity* (a storage_state as JSON) holds for *origin*; empty if none."""
    items = _local_storage(json.loads(identity), origin) if identity else []
    return next((item["value"] for item in items if item["name"] == GUEST_ID_KEY), "")


def merged_identity(stored: str | None, site: Site, *, cookie: str, session_id: str) -> str:
    """Playwright's storage_state as JSON: *stored* with *session_id*, and with the cookies of the header *cookie*
    in place of its own unless that is empty."""
    state = json.loads(stored) if stored else {}
    others = [origin for origin in state.get("origins", []) if origin["origin"] != site.origin]
    items = [item for item in _local_storage(state, site.origin) if item["name"] != GUEST_ID_KEY]
    items.append({"name": GUEST_ID_KEY, "value": session_id})
    return json.dumps(
        {
            "cookies": _cookies(cookie, site.origin) if cookie else state.get("cookies", []),
            "origins": [*others, {"origin": site.origin, "localStorage": items}],
        }
    )


def _credentials(settings: Settings, state: SiteState | None, session_id: str, now: float) -> Credentials:
    site, cookie, nonce = settings.sites[0], settings.cookie.value, settings.ajax_nonce.value
    first = Credentials(
        site=site.origin,
        ajax_url=f"{site.origin}{AJAX_PATH}",
        page_url=site.url,
        named_url=site.url,
        session_id=session_id,
        source="manual",
        captured_at=now,
        nonce_checked_at=0.0,
    )
    stored = state.current if state else first
    return replace(
        stored,
        cookie=cookie or stored.cookie,
        nonce=nonce or stored.nonce,
        session_id=session_id,
        post_id=settings.post_id or stored.post_id,
        # A check's cookie holds only with the User-Agent it was given to; that of a cookie typed in is not known.
        user_agent="" if cookie else stored.user_agent,
        source="manual",
        captured_at=now,
        nonce_checked_at=now if nonce else stored.nonce_checked_at,
    )


def _cookies(header: str, origin: str) -> list[dict[str, Any]]:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    pairs = [part.strip().partition("=") for part in header.split(";")]
    return [
        {
            "name": name,
            "value": value,
            "domain": f"[{host}]" if ":" in host else host,
            "path": "/",
            "expires": -1,
            "httpOnly": False,
            "secure": parts.scheme == "https",
            "sameSite": "Lax",
        }
        for name, equals, value in pairs
        if name and equals
    ]


def _local_storage(state: dict[str, Any], origin: str) -> list[dict[str, str]]:
    return [
        item for part in state.get("origins", []) if part["origin"] == origin for item in part.get("localStorage", [])
    ]


def _digest(settings: Settings) -> str:
    values = [settings.cookie.value, settings.ajax_nonce.value, settings.session_id.value, settings.post_id]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
