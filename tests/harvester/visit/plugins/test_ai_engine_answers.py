"""What a visit of an AI Engine chat makes of the site's answers, with a tab that has no browser."""

import json
from dataclasses import replace

import pytest

from harvester.job import Job, Limits
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.run import StepTimer, visit
from harvester.visit.tab import Snapshot
from shared.models import AI_ENGINE, Capture, Cause, Outcome
from tests.harvester.fake_tab import SITE, FakeTab, page

FRONT = f"{SITE}/"
NONCE, OTHER_NONCE = "5c95006f2d", "99a297567a"
STARTED = (200, json.dumps({"success": True, "sessionId": "6b0a3c678e85c", "restNonce": NONCE}).encode())
DEAD = (403, b'{"code":"rest_cookie_invalid_nonce","message":"Cookie check failed","data":{"status":403}}')
NO_ROUTE = (404, b'{"code":"rest_no_route","message":"x","data":{"status":404}}')
REJECTED = (403, b'{"success":false,"message":"Sorry, your query has been rejected."}')


def chat_page(**system: object) -> Snapshot:
    values = {"botId": "default", "restUrl": f"{SITE}/wp-json", "contextId": 7, "stream": True, **system}
    return replace(page(FRONT), configs=[{"data-system": json.dumps(values), "data-params": "{}"}])


def html(seen: Snapshot) -> bytes:
    (container,) = seen.configs
    return f"<div data-system='{container['data-system']}' data-params='{container['data-params']}'></div>".encode()


FRESH = html(chat_page(restNonce=OTHER_NONCE))
SHOWN_ANEW = html(chat_page(customId="own", stream=False))
JOB = Job(site=SITE, page_url=FRONT, browser="", limits=Limits(chat=0.2, glance=0.1))


async def visited(seen: Snapshot, *answers: tuple[int, bytes] | Exception) -> Capture:
    tab = FakeTab({FRONT: seen}, nonce_answers=list(answers))
    capture, _ = await visit(JOB, tab, StepTimer())
    assert tab.typed == []
    assert tab.kept == {}
    return capture


async def test_the_site_gives_nonce_and_session() -> None:
    found = (await visited(chat_page(), STARTED)).credentials

    assert (found.plugin, found.nonce, found.session_id) == (AI_ENGINE, NONCE, "6b0a3c678e85c")
    assert (found.ajax_url, found.post_id, found.cookie) == (f"{SITE}/wp-json", 7, f"for={SITE}/wp-json")


async def test_a_written_nonce_is_trusted_where_the_site_does_not_say() -> None:
    assert (await visited(chat_page(restNonce=NONCE), NO_ROUTE, TimeoutError())).credentials.nonce == NONCE


@pytest.mark.parametrize(
    ("got", "nonce"),
    [
        ([TimeoutError(), (200, FRESH)], OTHER_NONCE),
        ([PageFailed("reset"), (404, FRESH), (200, FRESH)], OTHER_NONCE),
        ([(404, FRESH), (404, FRESH), (404, FRESH)], None),
    ],
)
async def test_a_fresh_nonce_is_looked_for_wherever_the_page_may_be(
    got: list[tuple[int, bytes] | Exception], nonce: str | None
) -> None:
    tab = FakeTab({FRONT: chat_page(restNonce=NONCE)}, nonce_answers=[NO_ROUTE, DEAD, REJECTED], got=got)

    if nonce is None:
        with pytest.raises(VisitFailed, match="kept too long"):
            await visit(JOB, tab, StepTimer())
    else:
        assert (await visit(JOB, tab, StepTimer()))[0].credentials.nonce == nonce


@pytest.mark.parametrize(
    ("answer", "streams"),
    [
        (TimeoutError(), [True, True]),
        (PageFailed("reset"), [True, True]),
        ((404, SHOWN_ANEW), [True, True]),
        ((200, b"<p>Welcome.</p>"), [True, True]),
        ((200, SHOWN_ANEW), [False, True]),
    ],
)
async def test_chats_missing_from_a_reloaded_page_stay_as_they_were(
    answer: tuple[int, bytes] | Exception, streams: list[bool]
) -> None:
    main, framed = (chat_page(customId=name).configs[0] for name in ("own", "framed"))
    tab = FakeTab({FRONT: replace(page(FRONT), configs=[main, framed])}, nonce_answers=[STARTED], got=[answer])

    capture, _ = await visit(JOB, tab, StepTimer())

    assert [(bot.custom_key, bot.streams) for bot in capture.bots] == list(zip(("own", "framed"), streams, strict=True))


async def test_a_broken_connection_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.visit.plugins.interface.RETRY_SECONDS", 0.0)

    assert (await visited(chat_page(), PageFailed("reset"), STARTED)).credentials.nonce == NONCE


async def test_the_written_nonce_counts_only_where_the_site_starts_no_session() -> None:
    assert (await visited(chat_page(restNonce=OTHER_NONCE), STARTED)).credentials.nonce == NONCE
    assert (await visited(chat_page(restNonce=OTHER_NONCE), NO_ROUTE, REJECTED)).credentials.nonce == OTHER_NONCE


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        ([NO_ROUTE, DEAD], Outcome.SITE_ERROR, "before 2.4.4"),
        ([(401, b'{"code":"rest_login_required"}')], Outcome.SITE_ERROR, "(rest_login_required)"),
        ([(500, b"<p>critical error</p>")], Outcome.SITE_ERROR, "HTTP 500"),
        ([(404, b"<html>not found</html>")], Outcome.SITE_ERROR, "HTTP 404"),
        ([(403, b"<title>Just a moment...</title>")], Outcome.CHALLENGE, "bot check"),
        ([(200, b"<title>Making sure you&#39;re not a bot!</title>")], Outcome.CHALLENGE, "bot check"),
        ([(200, b'{"success":true,"restNonce":"no nonce"}')], Outcome.SITE_ERROR, "HTTP 200"),
    ],
)
async def test_what_brings_no_session_is_reported(
    answers: list[tuple[int, bytes]], outcome: Outcome, reason: str
) -> None:
    with pytest.raises(VisitFailed) as caught:
        await visited(chat_page(restNonce=OTHER_NONCE), *answers)

    assert caught.value.cause.outcome is outcome
    assert reason in caught.value.reason


async def test_without_a_route_and_a_nonce_nothing_more_is_asked() -> None:
    tab = FakeTab({FRONT: chat_page()}, nonce_answers=[NO_ROUTE, STARTED])

    with pytest.raises(VisitFailed, match="no route") as caught:
        await visit(JOB, tab, StepTimer())

    assert (caught.value.cause.outcome, caught.value.cause) == (Outcome.SITE_ERROR, Cause.NO_SESSION)
    assert tab.nonce_answers == [STARTED]


@pytest.mark.parametrize("url", ["https://evil.example/wp-json", "ftp://chat.example/wp-json", "http://[x"])
async def test_requests_go_to_no_other_site(url: str) -> None:
    with pytest.raises(VisitFailed) as caught:
        await visited(chat_page(restUrl=url), STARTED)

    assert caught.value.cause.outcome is Outcome.NO_CHAT


async def test_another_sites_chat_before_the_pages_own_is_passed_over() -> None:
    foreign = chat_page(restUrl="https://evil.example/wp-json", botId="foreign", contextId=9)
    seen = replace(chat_page(), configs=[*foreign.configs, *chat_page().configs])

    capture = await visited(seen, STARTED)

    assert (capture.credentials.ajax_url, capture.credentials.post_id) == (f"{SITE}/wp-json", 7)
    assert [bot.key for bot in capture.bots] == ["default"]


async def test_a_page_with_only_a_chat_for_speech_has_none() -> None:
    seen = replace(chat_page(), configs=[{**chat_page().configs[0], "data-params": '{"mode":"realtime"}'}])

    with pytest.raises(VisitFailed, match="for no text") as caught:
        await visited(seen, STARTED)

    assert caught.value.cause.outcome is Outcome.NO_CHAT
