"""The proxy's view of a site's credentials, where the store is slow, away or faulty."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.upstreams.site.credentials import CredentialKeeper
from shared.models import Credentials
from shared.parsing import site
from shared.site_client.client import SiteClient
from shared.store import Store, StoreUnavailable, open_store
from tests.shared.samples import SITE, capture


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/freeaichat.db") as opened:
        yield opened


@pytest.fixture
async def keeper(store: Store) -> AsyncIterator[CredentialKeeper]:
    await store.save_capture(capture(), base=0)
    async with SiteClient() as client:
        keeper = CredentialKeeper([site(SITE)], store, client)
        await keeper.load()
        yield keeper


async def test_a_nonce_that_cannot_be_stored_does_not_replace_what_a_visit_brought_meanwhile(
    keeper: CredentialKeeper, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> Credentials:
        await store.save_capture(capture("bbbbbbbbbb", at=200.0), base=1)
        await keeper.load()
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "save_nonce", lost)
    keeper.offer_nonce(await keeper.current(SITE), "cccccccccc")
    await keeper.finish_storing()

    assert (await keeper.current(SITE)).nonce == "bbbbbbbbbb"


async def test_what_a_visit_has_just_stored_is_found_before_anybody_tells_of_it(store: Store) -> None:
    async with SiteClient() as client:
        keeper = CredentialKeeper([site(SITE)], store, client)
        await keeper.load()
        await store.save_capture(capture(), base=0)

        assert (await keeper.current(SITE)).generation == 1
    assert await store.pending_ask(SITE) is None


async def test_a_fault_in_what_is_noted_does_not_keep_the_proxy_from_ending_in_order(
    keeper: CredentialKeeper, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "mark_good", fails)
    keeper.mark_good(await keeper.current(SITE))
    await keeper.finish_storing()
