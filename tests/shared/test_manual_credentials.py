"""Manually captured values become the first credentials, once each."""

import asyncio
import json
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from shared.manual_credentials import SEED_ATTEMPTS, guest_id, merged_identity, seed_manual
from shared.models import Capture, SiteState
from shared.parsing import site as site_of
from shared.serialization import to_plain
from shared.settings import Settings, load
from shared.store import StaleWrite, Store
from tests.shared.samples import BOTS, SITE, capture

SESSION = "99999999-aaaa-4bbb-8ccc-dddddddddddd"
STORED_SESSION = "11111111-2222-4333-8444-555555555555"
BY_HAND = {"cookie": 'a=1; b="x,y"; c=d=e', "ajax_nonce": "0123456789", "session_id": SESSION, "post_id": 18}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / "none"))
    for name in ("COOKIE", "AJAX_NONCE", "SESSION_ID", "POST_ID", "FREEAICHAT_SITES"):
        monkeypatch.delenv(name, raising=False)


def _settings(**values: Any) -> Settings:
    return load(sites=f"{SITE}/chat/ https://second.example/", **values)


def _capture(nonce: str = "harvested0", *, session_id: str = STORED_SESSION) -> Capture:
    identity = {
        "cookies": [{"name": "kept", "value": "1", "domain": "chat.example", "path": "/"}],
        "origins": [
            {"origin": "https://other.example", "localStorage": [{"name": "aipkit_guest_uuid", "value": "other"}]},
            {
                "origin": SITE,
                "localStorage": [
                    {"name": "theme", "value": "dark"},
                    {"name": "aipkit_guest_uuid", "value": session_id},
                ],
            },
        ],
    }
    return capture(nonce, identity=json.dumps(identity))


async def _state(store: Store, site: str = SITE) -> SiteState:
    state = await store.site_state(site)
    assert state is not None
    return state


async def test_without_hand_captured_values_nothing_is_stored(store: Store) -> None:
    assert await seed_manual(store, _settings(), now=500.0) is None
    assert await seed_manual(store, _settings(post_id=18), now=500.0) is None
    assert await store.site_state(SITE) is None


async def test_the_four_values_are_the_first_sites_starting_credentials(store: Store) -> None:
    seeded = await seed_manual(store, _settings(**BY_HAND), now=500.0)

    state = await _state(store)
    assert seeded == state.current
    assert state.bots == ()
    assert to_plain(state.current) == {
        "site": SITE,
        "plugin": "aipkit",
        "ajax_url": f"{SITE}/wp-admin/admin-ajax.php",
        "page_url": f"{SITE}/chat/",
        "named_url": f"{SITE}/chat/",
        "is_led_to": False,
        "cookie": 'a=1; b="x,y"; c=d=e',
        "nonce": "0123456789",
        "session_id": SESSION,
        "post_id": 18,
        "user_agent": "",
        "source": "manual",
        "captured_at": 500.0,
        "nonce_checked_at": 500.0,
        "generation": 1,
    }
    assert await store.site_state("https://second.example") is None


async def test_the_identity_is_a_storage_state_with_the_cookies_and_the_session_id(store: Store) -> None:
    await seed_manual(store, _settings(**BY_HAND), now=500.0)

    identity = json.loads(await store.identity(SITE) or "")
    assert identity["origins"] == [{"origin": SITE, "localStorage": [{"name": "aipkit_guest_uuid", "value": SESSION}]}]
    assert [(cookie["name"], cookie["value"]) for cookie in identity["cookies"]] == [
        ("a", "1"),
        ("b", '"x,y"'),
        ("c", "d=e"),
    ]
    assert identity["cookies"][0] == {
        "name": "a",
        "value": "1",
        "domain": "chat.example",
        "path": "/",
        "expires": -1,
        "httpOnly": False,
        "secure": True,
        "sameSite": "Lax",
    }


@pytest.mark.parametrize(
    ("url", "domain", "secure"),
    [
        ("http://127.0.0.1:8090/", "127.0.0.1", False),
        ("https://chat.example:8443/", "chat.example", True),
        ("http://[::1]:80/", "[::1]", False),
    ],
)
def test_cookies_belong_to_the_host_whatever_the_port(url: str, domain: str, secure: bool) -> None:
    identity = json.loads(merged_identity(None, site_of(url), cookie=" a=1 ;; bare; =x", session_id=SESSION))
    assert [(c["name"], c["value"], c["domain"], c["secure"]) for c in identity["cookies"]] == [
        ("a", "1", domain, secure)
    ]


@pytest.mark.parametrize("given", [{"cookie": "a=1"}, {"ajax_nonce": "0123456789"}])
async def test_a_missing_session_id_is_made_once_as_the_page_would(store: Store, given: dict[str, str]) -> None:
    seeded = await seed_manual(store, _settings(**given), now=500.0)

    assert seeded is not None
    made = UUID(seeded.session_id)
    assert (made.version, str(made)) == (4, seeded.session_id)
    assert guest_id(await store.identity(SITE), SITE) == seeded.session_id
    reseeded = await seed_manual(store, _settings(**given, post_id=7), now=600.0)
    assert reseeded is not None
    assert reseeded.session_id == seeded.session_id


async def test_a_missing_nonce_counts_as_never_checked(store: Store) -> None:
    seeded = await seed_manual(store, _settings(cookie="a=1"), now=500.0)
    assert seeded is not None
    assert (seeded.nonce, seeded.nonce_checked_at) == ("", 0.0)


async def test_unchanged_values_never_replace_what_was_harvested_since(store: Store) -> None:
    await seed_manual(store, _settings(**BY_HAND), now=500.0)
    harvested = await store.save_capture(_capture(), base=1)

    assert await seed_manual(store, _settings(**BY_HAND), now=600.0) is None

    assert (await _state(store)).current == harvested


@pytest.mark.parametrize(
    "edit", [{"cookie": "new=1"}, {"ajax_nonce": "9876543210"}, {"session_id": "another"}, {"post_id": 19}]
)
async def test_each_edited_value_wins_over_what_stands(store: Store, edit: dict[str, Any]) -> None:
    await seed_manual(store, _settings(**BY_HAND), now=500.0)
    await store.save_capture(_capture(), base=1)
    edited = {**BY_HAND, **edit}

    seeded = await seed_manual(store, _settings(**edited), now=600.0)

    state = await _state(store)
    assert seeded == state.current
    assert (seeded.generation, seeded.captured_at, seeded.source) == (3, 600.0, "manual")
    assert (seeded.cookie, seeded.nonce, seeded.session_id, seeded.post_id) == (
        edited["cookie"],
        edited["ajax_nonce"],
        edited["session_id"],
        edited["post_id"],
    )
    assert state.bots == BOTS
    assert await seed_manual(store, _settings(**edited), now=700.0) is None


async def test_what_is_not_given_by_hand_stays_as_a_visit_found_it(store: Store) -> None:
    found = await store.save_capture(_capture(), base=0)

    seeded = await seed_manual(store, _settings(ajax_nonce="0123456789"), now=600.0)

    assert seeded == replace(
        found, nonce="0123456789", nonce_checked_at=600.0, captured_at=600.0, source="manual", generation=2
    )
    identity = json.loads(await store.identity(SITE) or "")
    assert identity["cookies"] == json.loads(_capture().identity)["cookies"]
    assert guest_id(json.dumps(identity), SITE) == STORED_SESSION
    assert guest_id(json.dumps(identity), "https://other.example") == "other"
    assert {"name": "theme", "value": "dark"} in identity["origins"][1]["localStorage"]


async def test_a_cookie_by_hand_comes_without_the_browsers_user_agent(store: Store) -> None:
    await store.save_capture(_capture(), base=0)
    seeded = await seed_manual(store, _settings(cookie="a=1"), now=600.0)
    assert seeded is not None
    assert (seeded.cookie, seeded.user_agent, seeded.session_id) == ("a=1", "", STORED_SESSION)


async def test_the_note_of_what_was_seeded_shows_none_of_it(store: Store) -> None:
    await seed_manual(store, _settings(**BY_HAND), now=500.0)
    note = await store.get_note(f"seeded by hand: {SITE}")
    assert note is not None
    assert len(note) == 64
    assert not any(str(value) in note for value in BY_HAND.values() if len(str(value)) > 2)


async def test_seeding_beside_other_writers_ends_on_top_of_them(store: Store) -> None:
    await store.save_capture(_capture("aaaaaaaaaa"), base=0)

    async def renew() -> None:
        for number in range(3):
            current = (await _state(store)).current
            await store.save_nonce(SITE, f"renewed-{number}", checked_at=1.0, base=current.generation)

    results = await asyncio.gather(
        seed_manual(store, _settings(**BY_HAND), now=600.0),
        seed_manual(store, _settings(**BY_HAND), now=600.0),
        renew(),
        return_exceptions=True,
    )

    seeded = [found for found in results[:2] if found is not None]
    assert seeded
    assert not any(isinstance(found, BaseException) for found in results[:2]), results
    state = await _state(store)
    assert (state.current.cookie, state.current.session_id) == (BY_HAND["cookie"], SESSION)


class _Contended:
    """A store in which somebody else is always faster."""

    def __init__(self) -> None:
        self.attempts = 0

    async def site_state(self, site: str) -> SiteState | None:
        return None

    async def identity(self, site: str) -> str | None:
        return None

    async def save_capture(self, capture: Capture, *, base: int) -> None:
        self.attempts += 1
        raise StaleWrite(None)


async def test_seeding_gives_up_after_a_bounded_number_of_attempts() -> None:
    store = _Contended()
    with pytest.raises(StaleWrite):
        await seed_manual(cast(Store, store), _settings(**BY_HAND), now=500.0)
    assert store.attempts == SEED_ATTEMPTS
