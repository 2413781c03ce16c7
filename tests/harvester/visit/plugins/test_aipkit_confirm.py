"""The nonce and guest id that a visit captures; without a browser."""

import asyncio
import json

import pytest

from harvester.job import Job, Limits
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.run import StepTimer, visit
from shared.models import Capture, Outcome
from tests.harvester.fake_tab import CONFIG, GUEST, SITE, FakeTab, page, plugin_request

FRONT = f"{SITE}/"
CACHED = {"x-cache": "HIT"}
GIVEN = (200, b'{"success":true,"data":{"nonce":"given"}}')
TAKEN = plugin_request("aipkit_cache_sse_message", _ajax_nonce="taken", bot_id=9)
ASKING = json.dumps(json.loads(CONFIG) | {"requireConsentCompliance": True})
STREAMED = plugin_request("aipkit_frontend_chat_stream", _ajax_nonce="taken", session_id="s-1")


def tab(*configs: str, **values: object) -> FakeTab:
    """A tab whose page shows these attributes, a chat of one bot without any."""
    return FakeTab({FRONT: page(FRONT, *(configs or (CONFIG,)), **values)})


async def make(tab: FakeTab, *, session_id: str = "", consent: float = 0.0) -> Capture:
    limits = Limits(chat=0.3, glance=0.1, guest_id=0.2, typed=0.3, consent=consent)
    job = Job(site=SITE, page_url=FRONT, browser="", session_id=session_id, limits=limits)
    return (await visit(job, tab, StepTimer()))[0]


async def test_the_nonce_the_site_hands_out_wins_over_the_pages() -> None:
    tab_ = tab()
    tab_.nonce_answers = [GIVEN]

    assert (await make(tab_)).credentials.nonce == "given"
    assert tab_.typed == []


async def test_asking_for_the_nonce_is_tried_once_more() -> None:
    tab_ = tab()
    tab_.nonce_answers = [PageFailed("reset"), GIVEN]

    assert (await make(tab_)).credentials.nonce == "given"


@pytest.mark.parametrize("answer", [(400, b"0"), (403, b""), TimeoutError()])
async def test_without_an_answer_the_nonce_of_a_fresh_page_is_trusted(answer: tuple[int, bytes] | Exception) -> None:
    tab_ = tab()
    tab_.nonce_answers = [answer]

    assert (await make(tab_)).credentials.nonce == "written"
    assert tab_.typed == []


@pytest.mark.parametrize(
    "answer", [(403, b"<title>Just a moment...</title>"), (200, b"<title>Making sure you&#39;re not a bot!</title>")]
)
async def test_a_bot_check_in_the_place_of_an_answer_is_reported_and_no_nonce_is_trusted(
    answer: tuple[int, bytes],
) -> None:
    tab_ = tab()
    tab_.nonce_answers = [answer]

    with pytest.raises(VisitFailed, match="bot check") as caught:
        await make(tab_)
    assert (caught.value.cause.outcome, tab_.typed) == (Outcome.CHALLENGE, [])


async def test_the_nonce_of_a_page_out_of_a_cache_is_tried_out_with_one_message() -> None:
    tab_ = tab(headers=CACHED)
    tab_.typing_causes = [TAKEN, STREAMED]

    assert (await make(tab_)).credentials.nonce == "taken"
    assert tab_.typed == ["Hi"]


async def test_a_cached_nonce_that_the_site_does_not_take_is_not_kept() -> None:
    refused = plugin_request("aipkit_cache_sse_message", status=403, _ajax_nonce="written", bot_id=5)
    tab_ = tab(headers=CACHED)
    tab_.typing_causes = [refused]

    with pytest.raises(VisitFailed, match="cache") as caught:
        await make(tab_)
    assert caught.value.cause.outcome is Outcome.SITE_ERROR


async def test_nothing_is_typed_where_that_would_need_consent() -> None:
    tab_ = tab(ASKING, headers=CACHED)

    with pytest.raises(VisitFailed):
        await make(tab_)
    assert tab_.typed == []


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_visit_in_a_window_waits_for_a_person_to_agree(agrees: bool) -> None:
    tab_ = tab(ASKING)
    tab_.nonce_answers = [GIVEN]
    agreed = page(FRONT, ASKING, stored={"aipkit_guest_uuid": GUEST, "aipkit_chatbot_consent_given_5": "true"})

    async def click() -> None:
        await asyncio.sleep(0.1)
        tab_.pages[FRONT] = page(FRONT, title="Our terms")
        await asyncio.sleep(0.2)
        tab_.pages[FRONT] = agreed

    async with asyncio.TaskGroup() as tasks:
        visit = tasks.create_task(make(tab_, consent=10.0 if agrees else 0.3))
        if agrees:
            tasks.create_task(click())

    assert [bot.consent_required for bot in visit.result().bots] == [not agrees]


async def test_a_field_whose_requests_tell_nothing_is_no_chat() -> None:
    empty = FakeTab({FRONT: page(FRONT, fields=["aipkit"])})

    with pytest.raises(VisitFailed, match="chat field") as caught:
        await make(empty)
    assert caught.value.cause.outcome is Outcome.NO_CHAT
    assert empty.typed == ["Hi"]


async def test_a_page_with_another_sites_chat_alone_is_reported_and_nothing_is_typed_there() -> None:
    foreign = json.dumps(json.loads(CONFIG) | {"ajaxUrl": "https://shop.example/wp-admin/admin-ajax.php"})
    tab_ = tab(foreign, fields=["aipkit"])

    with pytest.raises(VisitFailed, match=r"shop\.example") as caught:
        await make(tab_)
    assert caught.value.cause.outcome is Outcome.NO_CHAT
    assert tab_.typed == []


async def test_the_guest_id_of_the_page_is_kept() -> None:
    assert (await make(tab())).credentials.session_id == GUEST
    assert (await make(tab(), session_id="known")).credentials.session_id == GUEST  # its requests go on with that


async def test_a_guest_who_is_known_stays_who_he_is_where_the_page_forgot_him() -> None:
    forgetful = tab(stored={})

    found = await make(forgetful, session_id="known")

    assert found.credentials.session_id == "known"
    assert json.loads(found.identity) == {
        "kept": {"aipkit_guest_uuid": "known"}
    }  # it was put into the page before the identity was read


async def test_the_fragment_of_the_pages_address_is_not_remembered() -> None:
    tab_ = FakeTab({FRONT: page(f"{FRONT}#chat", CONFIG)})

    assert (await make(tab_)).credentials.page_url == FRONT
