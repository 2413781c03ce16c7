"""The doctor at a site with the AI Engine plugin: its page and its credentials are judged in that plugin's way."""

from shared.cli.doctor.check import Level
from shared.cli.doctor.site import check_site
from shared.cli.doctor.store import check_credentials
from shared.parsing import site
from shared.site_client.client import SiteClient
from tests.proxy.upstreams.ai_engine.engine import capture_engine
from tests.site_ai_engine import SimulatedAiEngine


async def test_a_page_with_its_chats_is_fine() -> None:
    async with SimulatedAiEngine() as engine, SiteClient() as client:
        page, *_ = await check_site(client, site(engine.url), now=0.0)

    assert page.level is Level.OK
    assert "carries the chat (6 bots of AI Engine)" in page.what


async def test_credentials_whose_nonce_died_can_be_renewed_and_a_closed_site_is_reported() -> None:
    async with SimulatedAiEngine() as engine, SiteClient() as client:
        found = (await capture_engine(engine)).credentials
        engine.rotate_nonce()
        renewable = await check_credentials(client, engine.origin, found, now=found.captured_at)
        engine.behaviour.rest_closed = True
        closed = await check_credentials(client, engine.origin, found, now=found.captured_at)

    assert (renewable.level, closed.level) == (Level.OK, Level.FAIL)
    assert "a newer nonce is handed out" in renewable.what
    assert "HTTP 401" in closed.what
