"""Reading `data-config`: the recorded attributes of a real site, and what pages may do to them."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.plugins.aipkit.page import PageConfig, guest_id_in, nonce_in, read_configs

SAMPLES = Path(__file__).parents[3] / "samples"
AJAX = "https://chat.example/wp-admin/admin-ajax.php"


def config(**values: Any) -> str:
    """One attribute with the least a chat has, and *values*."""
    return json.dumps({"botId": 5, "ajaxUrl": AJAX, "nonce": "aaaaaaaaaa", **values})


def read(*attributes: str, stored: dict[str, str] | None = None) -> PageConfig:
    found = read_configs(attributes, stored or {})
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["chat", "home"])
def test_a_recorded_tag_is_read(name: str) -> None:
    tag = (SAMPLES / f"data-config-{name}-raw-tag.html").read_text("utf-8")
    attribute = html.unescape(re.search(r"data-config='([^']*)'", tag)[1])  # type: ignore[index]

    found = read(attribute)

    assert found.ajax_url == "http://127.0.0.1:8090/wp-admin/admin-ajax.php"
    assert found.nonce == "a5281ce626"
    assert found.post_id == {"chat": 18, "home": 20}[name]
    assert found.image_triggers == ("/image", "/generate")
    assert found.bots[0].name


def test_names_keep_quotes_brackets_and_other_scripts() -> None:
    dumps = [json.loads((SAMPLES / f"data-config-all-bot{number}.json").read_text("utf-8")) for number in (12, 8, 11)]

    found = read(*(json.dumps(dump["config"]) for dump in dumps))

    assert [(bot.id, bot.name, bot.provider) for bot in found.bots] == [
        (12, 'Claude "Sonnet" <b>', "Claude"),
        (8, "Vision Bot 视觉", "OpenAI"),
        (11, "Gemini Flash", "Google"),
    ]


def test_state_and_search_are_those_of_the_bots_own_provider() -> None:
    google = {"enableGoogleConversationState": True, "allowGoogleSearchGrounding": True}
    openai = {"enableOpenAIConversationState": True, "allowWebSearchTool": True}
    found = read(
        config(botId=1, provider="Google", **google),
        config(botId=2, provider="Google", **openai),
        config(botId=3, provider="OpenAI", **openai),
        config(botId=4, provider="Claude", **openai),
    )

    assert [(bot.keeps_state, bot.web_search) for bot in found.bots] == [
        (True, True),
        (False, False),
        (True, True),
        (False, True),
    ]


def test_a_bot_that_appears_twice_is_listed_once_where_it_came_first() -> None:
    found = read(config(botId=5, headerName="A"), config(botId=6), config(botId=5, headerName="B"))

    assert [(bot.id, bot.name) for bot in found.bots] == [(5, "A"), (6, "")]


def test_consent_is_required_until_the_guest_gave_it() -> None:
    asking = config(botId=5, requireConsentCompliance=True)

    assert read(asking).bots[0].consent_required
    assert not read(asking, stored={"aipkit_chatbot_consent_given_5": "true"}).bots[0].consent_required


@pytest.mark.parametrize(
    "attribute",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        json.dumps({"slides": 3}),
        json.dumps({"botId": 5}),
        json.dumps({"ajaxUrl": AJAX}),
        config(botId=0),
        config(botId=-5),
        config(botId="x"),
        config(botId="9" * 5000),
        config(botId=2**63),
        config(botId=None),
        config(ajaxUrl={"a": 1}),
    ],
)
def test_what_is_no_chat_is_skipped(attribute: str) -> None:
    assert read_configs([attribute], {}) is None
    assert [bot.id for bot in read(attribute, config(botId=7)).bots] == [7]


def test_odd_values_of_a_chat_do_no_harm() -> None:
    found = read(
        config(botId="12", nonce=None, postId="7", headerName=5, provider=None, imageTriggers=["/x"]),
        config(botId=13, headerName="half \ud83d"),
    )

    assert (found.nonce, found.post_id, found.image_triggers) == ("aaaaaaaaaa", 7, ())
    assert [bot.name for bot in found.bots] == ["", "half \ufffd"]
    assert read(config()).post_id == 0


def test_a_chat_takes_pictures_where_its_page_offers_it() -> None:
    found = read(
        config(botId=1, imageUploadEnabledUI="1"), config(botId=2, imageUploadEnabledUI=False), config(botId=3)
    )

    assert [bot.images for bot in found.bots] == [True, False, False]


def test_a_page_with_other_sites_chats_alone_has_none() -> None:
    assert read_configs([config(), config(ajaxUrl="")], {}, lambda _: "") is None


@pytest.mark.parametrize(("length", "is_kept"), [(64, True), (65, False)])
def test_a_guest_id_that_is_too_long_for_the_site_is_none(length: int, is_kept: bool) -> None:
    assert guest_id_in({"aipkit_guest_uuid": "x" * length}) == ("x" * length if is_kept else "")


def test_the_first_nonce_among_pages_is_taken() -> None:
    pages = [f"<div data-config='{config(nonce=nonce)}'>" for nonce in ("", "bbbbbbbbbb", "cccccccccc")]

    assert nonce_in(json.dumps([{"content": {"rendered": page}} for page in pages]).encode()) == "bbbbbbbbbb"
    assert nonce_in(pages[0].encode()) == nonce_in(b"\xff") == ""
