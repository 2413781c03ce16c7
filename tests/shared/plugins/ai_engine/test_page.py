"""Reading the page of AI Engine, against what a real one wrote."""

import json
from typing import Any

import pytest

from shared.plugins.ai_engine.page import PARAMS, SYSTEM, has_agreed, nonce_in, read_chats
from shared.plugins.markup import elements_in
from tests.recorded import SAMPLES

RECORDED = SAMPLES / "ai_engine"
HTML = (RECORDED / "00-markup-chatbot-resp.html").read_text(encoding="utf-8")
REST = "http://127.0.0.1:8099/wp-json"


def element(params: Any = None, **system: Any) -> dict[str, str]:
    values = {"botId": "default", "restUrl": REST, "stream": True, **system}
    return {SYSTEM: json.dumps(values), PARAMS: json.dumps({} if params is None else params)}


def test_a_recorded_chat_is_read_whole() -> None:
    chats = read_chats(elements_in(HTML, (PARAMS, SYSTEM)))

    assert chats is not None
    (bot,) = chats.bots
    assert (chats.rest_url, chats.context_id, chats.nonce) == (REST, 101, "")
    assert (bot.key, bot.custom_key, bot.name) == ("chatbot-resp", "", "GPT-4o mini")
    assert (bot.max_message, bot.streams, bot.images, bot.consent_required) == (100_000, True, False, False)


def test_a_recorded_consent_box_is_noticed_and_a_recorded_override_has_its_own_key() -> None:
    found = [
        read_chats(elements_in((RECORDED / f"{name}.html").read_text(encoding="utf-8"), (PARAMS, SYSTEM)))
        for name in ("00b-markup-gdpr", "00c-markup-override")
    ]
    bots = [bot for chats in found if chats for bot in chats.bots]

    assert [bot.consent_required for bot in bots] == [True, False]
    assert [bot.custom_key for bot in bots] == ["", "a8714514167ef25d6e16faa92abd8b49"]
    assert bots[0].id != bots[1].id


def test_the_recorded_default_chat_takes_512_characters_and_is_called_by_its_id() -> None:
    recorded = json.loads((RECORDED / "00-data-default.json").read_text(encoding="utf-8"))
    chats = read_chats([{name: json.dumps(value) for name, value in recorded.items()}])

    assert chats is not None
    assert [(bot.name, bot.max_message) for bot in chats.bots] == [("default", 512)]


def test_a_page_that_does_not_say_takes_512_characters() -> None:
    chats = read_chats([element()])

    assert chats is not None
    assert chats.bots[0].max_message == 512


@pytest.mark.parametrize(
    ("params", "images", "most"),
    [
        ({"fileUpload": True}, True, 1),
        ({"fileUpload": True, "maxUploads": 3}, True, 1),
        ({"fileUpload": True, "multiUpload": True, "maxUploads": 3}, True, 3),
        ({"fileUpload": True, "multiUpload": True, "maxUploads": "x"}, True, 1),
        ({"fileUpload": False, "multiUpload": True, "maxUploads": 3}, False, 1),
        ({"fileUpload": True, "multiUpload": True, "maxUploads": 3, "allowedMimeTypes": "application/pdf"}, False, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": ".pdf,.docx"}, False, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": "text/plain, image/png"}, True, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": ".PNG"}, True, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": "*/*"}, True, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": " "}, True, 1),
        ({"fileUpload": True, "maxUploads": 1, "allowedMimeTypes": None}, True, 1),
        ({"fileUpload": False, "imageUpload": True, "maxUploads": 1}, False, 1),
        ({"fileUpload": False, "imageUpload": True, "multiUpload": True}, True, 1),  # 3.2.5
        ({"fileUpload": "discussion", "imageUpload": False}, False, 1),  # 2.4.1: of an assistant
        ({"imageUpload": True}, True, 1),  # before there were other files than pictures
    ],
)
def test_pictures_are_taken_where_the_page_offers_it(params: dict[str, Any], images: bool, most: int) -> None:
    chats = read_chats([element(params)])

    assert chats is not None
    assert (chats.bots[0].images, chats.bots[0].max_images) == (images, most)


def test_a_bot_that_stands_twice_counts_once_and_chats_for_speech_or_pictures_not_at_all() -> None:
    duplicate, speech, pictures = (
        element(),
        element({"mode": "realtime"}, botId="a"),
        element({"mode": "images"}, botId="b"),
    )
    chats = read_chats([element(), duplicate, speech, pictures, element(botId="c", stream=False)])

    assert chats is not None
    assert [(bot.key, bot.streams) for bot in chats.bots] == [("default", True), ("c", False)]


def test_of_a_page_with_chats_of_several_sites_those_of_the_first_that_is_its_own_are_read() -> None:
    """A frame may show another blog of the same host, and a shop's chat may be embedded: for their bots the site's
    default one would answer."""
    shop = element(botId="shop", restUrl="https://shop.example/wp-json", contextId=9, restNonce="aaaaaaaaaa")
    blog = element(botId="blog", restUrl="http://127.0.0.1:8099/blog/wp-json", contextId=8, restNonce="bbbbbbbbbb")
    own = element(botId="own", contextId=7, restNonce="cccccccccc")

    def on_site(url: str) -> str:
        return url if url.startswith("http://127.0.0.1:8099/") else ""

    chats = read_chats([shop, own, blog, element(botId="second")], on_site)

    assert chats is not None
    assert (chats.rest_url, chats.context_id, chats.nonce) == (REST, 7, "cccccccccc")
    assert [bot.key for bot in chats.bots] == ["own", "second"]
    assert read_chats([shop], on_site) is None


@pytest.mark.parametrize("mode", ["chat", "assistant", "prompt", "", None])
def test_chats_in_which_text_is_asked_and_answered_are_bots(mode: str | None) -> None:
    chats = read_chats([element({"mode": mode, "window": True})])

    assert chats is not None
    assert len(chats.bots) == 1


def test_what_is_no_chat_is_skipped() -> None:
    broken = {SYSTEM: "{", PARAMS: "{}"}
    others = [{SYSTEM: "[]"}, {SYSTEM: '{"botId":"x"}'}, {SYSTEM: '{"restUrl":"x"}'}, {PARAMS: "{}"}]

    assert read_chats([broken, *others]) is None
    chats = read_chats([broken, {SYSTEM: element()[SYSTEM], PARAMS: "no JSON"}, {SYSTEM: element(botId="b")[SYSTEM]}])
    assert chats is not None
    assert [bot.key for bot in chats.bots] == ["default", "b"]


@pytest.mark.parametrize("nonce", [None, "N/A", 7, "5C95006F2D", "5c95006f2d0"])
def test_what_is_no_nonce_is_none(nonce: object) -> None:
    chats = read_chats([element(restNonce=nonce)])

    assert chats is not None
    assert chats.nonce == ""


def test_an_old_pages_nonce_is_read_from_html_and_from_core_rest() -> None:
    old = HTML.replace("restNonce&quot;:null", "restNonce&quot;:&quot;5c95006f2d&quot;")

    assert nonce_in(old.encode()) == "5c95006f2d"
    assert nonce_in(json.dumps({"content": {"rendered": old}}).encode()) == "5c95006f2d"
    assert nonce_in(HTML.encode()) == nonce_in(b"{") == nonce_in(b"[1]") == nonce_in(b"\xff") == ""


def test_a_bots_number_is_the_same_in_every_process_and_fits_a_database() -> None:
    chats = read_chats([element(), element(botId="a"), element(botId=None, customId="a")])

    assert chats is not None
    assert [bot.id for bot in chats.bots] == [1772698136, 1029033755, 1390970566]


def test_half_a_surrogate_pair_in_a_name_does_no_harm() -> None:
    chats = read_chats([{SYSTEM: element()[SYSTEM], PARAMS: '{"aiName":"A\\ud800: "}'}])

    assert chats is not None
    chats.bots[0].name.encode()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_list_of_earlier_conversations_is_no_chat_even_if_it_comes_first(quote: str) -> None:
    listed = HTML.replace("mwai-chatbot-container", "mwai-discussions-container").replace("GPT-4o mini", "List")
    chats = read_chats(elements_in((listed + HTML).replace("'", quote), (PARAMS, SYSTEM)))

    assert read_chats(elements_in(listed, (PARAMS, SYSTEM))) is None
    assert chats is not None
    assert [(bot.name, bot.max_message) for bot in chats.bots] == [("GPT-4o mini", 100_000)]


def test_what_the_page_says_of_a_chat_that_is_not_there_is_none() -> None:
    html = "<p>AI Engine: Chatbot 'gone' not found. If you meant to set an ID, use 'custom_id' (data-system).</p>"

    assert read_chats(elements_in(html, (PARAMS, SYSTEM))) is None


def test_attributes_may_stand_in_any_order_and_with_other_classes() -> None:
    params, system = (HTML.partition(f"{name}='")[2].partition("'")[0] for name in (PARAMS, SYSTEM))
    text = f'<section data-x=1 {SYSTEM}="{system}" class="lazy  mwai-chatbot-container" {PARAMS}="{params}"/>'

    assert read_chats(elements_in(text, (PARAMS, SYSTEM))) == read_chats(elements_in(HTML, (PARAMS, SYSTEM)))


@pytest.mark.parametrize(
    ("block", "asks"),
    [
        ({"id": "mwai_gdpr_6b0a3dc64f57e", "type": "content", "data": {}}, True),
        ({"type": "content", "data": {"html": "<form id='mwai-gdpr-form-default'>", "script": ""}}, True),
        ({"type": "content", "data": {"html": "<p>", "script": "document.cookie = 'mwai_gdpr_accepted=1'"}}, True),
        ({"type": "content", "data": {"html": "<p>Welcome.</p>"}}, False),
        ({"type": "content", "data": ["mwai_gdpr"]}, False),
        ("mwai_gdpr", False),
    ],
)
def test_the_box_that_asks_for_consent_is_known_in_any_version(block: Any, asks: bool) -> None:
    for blocks in ([block], {"1": block}):  # as PHP writes a list that has lost its first
        chats = read_chats([element(blocks=blocks)])

        assert chats is not None
        assert chats.bots[0].consent_required is asks


@pytest.mark.parametrize(
    ("cookie", "agreed"),
    [
        ("", False),
        ("PHPSESSID=x; mwai_gdpr_accepted=1", True),
        ("mwai_gdpr_accepted=0", False),
        ("x_mwai_gdpr_accepted=1", False),
    ],
)
def test_a_cookie_tells_who_has_agreed(cookie: str, agreed: bool) -> None:
    assert has_agreed(cookie) is agreed


def test_names_of_digits_alone_which_the_plugin_writes_as_numbers_are_names() -> None:
    chats = read_chats([element({"aiName": 4.1}, botId=None, customId=2024)])

    assert chats is not None
    assert [(bot.name, bot.key, bot.custom_key) for bot in chats.bots] == [("4.1", "", "2024")]


@pytest.mark.parametrize("params", [{}, {"aiName": ""}, {"aiName": " : "}, {"aiName": "AI"}, {"aiName": "AI: "}])
def test_a_chat_without_a_name_of_its_own_is_called_by_its_id(params: Any) -> None:
    chats = read_chats([element(params), element(params, botId=None, customId="mine")])

    assert chats is not None
    assert [bot.name for bot in chats.bots] == ["default", "mine"]


@pytest.mark.parametrize(("limit", "most"), [("", 0), (None, 0), (0, 512), ("x", 512), (-1, 512), (1.5, 512)])
def test_a_cleared_limit_is_none_and_one_that_is_no_number_counts_as_the_plugins_own(limit: object, most: int) -> None:
    chats = read_chats([element({"textInputMaxLength": limit}), element({"textInputMaxLength": "900"}, botId="b")])

    assert chats is not None
    assert [bot.max_message for bot in chats.bots] == [most, 900]


@pytest.mark.parametrize(("context", "number"), [(None, 0), (False, 0), ("104", 104), (104, 104)])
def test_a_page_that_is_no_single_post_has_no_number(context: object, number: int) -> None:
    chats = read_chats([element(contextId=context)])

    assert chats is not None
    assert chats.context_id == number
