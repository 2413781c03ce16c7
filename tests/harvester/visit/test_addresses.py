"""Which addresses belong to a site, which links may lead to its chat, and what is not loaded."""

import pytest

from harvester.visit.addresses import (
    Link,
    Refresh,
    chat_candidates,
    find_refresh,
    mentions_chat,
    pages_on_site,
    should_load,
)

PAGE = "https://www.example.org/start/"


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        ("document", "https://example.org/", True),
        ("script", "https://static.example.org/x.js", True),
        ("fetch", "https://example.org/wp-admin/admin-ajax.php", True),
        ("stylesheet", "https://example.org/style.css", True),
        ("image", "https://example.org/x.png", False),
        ("media", "https://example.org/x.mp4", False),
        ("font", "https://example.org/x.woff2", False),
        ("image", "data:image/png;base64,AAAA", False),
        ("script", "https://tracker.example.com/x.js", False),
        ("script", "blob:https://example.org/1", True),
    ],
)
def test_pictures_media_fonts_and_other_sites_are_not_loaded(kind: str, url: str, expected: bool) -> None:
    assert should_load(kind, url, {"example.org"}) is expected


@pytest.mark.parametrize(
    ("kind", "url", "hosts", "is_wide", "expected"),
    [
        ("script", "https://cdn.example.net/wp-content/plugins/x/chat.js", {"example.org"}, False, True),
        ("script", "https://c0.example.net/c/6.6/wp-includes/js/jquery.js", {"example.org"}, False, True),
        ("document", "https://evil.example.net/wp-content/x.html", {"example.org"}, False, False),
        ("image", "https://cdn.example.net/wp-content/x.png", {"example.org"}, True, False),
        ("script", "https://new.example.net/x.js", {"example.org", "new.example.net"}, False, True),
        ("script", "https://cdn.example.net/x.js", {"example.org"}, True, True),
        ("fetch", "https://api.example.net/x", {"example.org"}, True, True),
        ("document", "https://ads.example.net/frame", {"example.org"}, True, False),
    ],
)
def test_first_party_is_more_than_the_hosts_own_name(
    kind: str, url: str, hosts: set[str], is_wide: bool, expected: bool
) -> None:
    assert should_load(kind, url, hosts, is_wide=is_wide) is expected


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("0;url=/chat/", Refresh(0.0, "https://www.example.org/chat/")),
        ("5; URL='/chat/'", Refresh(5.0, "https://www.example.org/chat/")),
        (' 3 , "https://new.example.net/"', Refresh(3.0, "https://new.example.net/")),
        ("1.5; /chat/#top", Refresh(1.0, "https://www.example.org/chat/")),
        ("0; url=chat", Refresh(0.0, "https://www.example.org/start/chat")),
        ("300", None),  # the page itself, anew
        ("0;url=https://www.example.org/start/#x", None),
        ("0;url=javascript:alert(1)", None),
        ("0;url=https://[", None),
        ("soon", None),
    ],
)
def test_refresh_targets_of_a_page(content: str, found: Refresh | None) -> None:
    assert find_refresh(PAGE, ["nonsense", content]) == found
    assert find_refresh(f"{PAGE}#part", ["nonsense", content]) == found


def test_of_the_frames_only_pages_of_the_site_are_looked_at() -> None:
    frames = ["/bot/", "https://ads.example.net/", "/bot/#x", "/start/", "javascript:void(0)", "https://["]

    assert pages_on_site(PAGE, frames, [PAGE]) == ["https://www.example.org/bot/"]


@pytest.mark.parametrize(
    ("text", "is_so"),
    [("Chat with us", True), ("Ask our AI", True), ("Ask", True), ("Task list", False), ("OK", False)],
)
def test_links_that_suggest_a_chat(text: str, is_so: bool) -> None:
    assert mentions_chat(text) is is_so


def candidates(*links: tuple[str, str], visited: tuple[str, ...] = (PAGE,)) -> list[str]:
    return chat_candidates(PAGE, [Link(href, text) for href, text in links], visited)


def test_the_likeliest_page_comes_first_and_the_front_page_last() -> None:
    found = candidates(("/about/", "About us"), ("/tools/ai/", "Our tools"), ("/free-gpt-chat/", "Start"))

    assert found == [
        "https://www.example.org/free-gpt-chat/",
        "https://www.example.org/tools/ai/",
        "https://www.example.org/",
    ]


def test_the_text_of_a_link_counts_as_much_as_its_address() -> None:
    assert candidates(("/p/17", "Chat now"))[0] == "https://www.example.org/p/17"
    assert candidates(("/p/18", "免费聊天"))[0] == "https://www.example.org/p/18"
    assert candidates(("/%E8%81%8A%E5%A4%A9/", ""))[0] == "https://www.example.org/%E8%81%8A%E5%A4%A9/"


def test_a_page_that_is_linked_twice_is_proposed_once_by_its_better_link() -> None:
    twice = candidates(("/a/", "AI chat"), ("/a/", "Ask"), ("/b/", "Our chat"), ("/", "Chat"), ("/", "Home"))

    assert twice == ["https://www.example.org/a/", "https://www.example.org/", "https://www.example.org/b/"]
    assert candidates(("/", "Chat")) == ["https://www.example.org/"]


def test_of_equally_likely_pages_the_one_with_the_shorter_address_comes_first() -> None:
    assert candidates(("/chat/help/", ""), ("/chat/", ""))[0] == "https://www.example.org/chat/"
    assert candidates(("/ai/", ""), ("/our-chats/", ""))[0] == "https://www.example.org/our-chats/"


def test_a_page_that_was_visited_is_not_proposed_again_whatever_part_of_it_was_shown() -> None:
    assert candidates(("/chat/", ""), visited=("https://www.example.org/chat/#top",)) == ["https://www.example.org/"]


def test_no_more_than_three_pages_are_proposed() -> None:
    assert len(candidates(*((f"/chat-{number}/", "") for number in range(9)))) == 3


@pytest.mark.parametrize(
    "href",
    [
        "https://other.net/chat/",
        "mailto:chat@example.org",
        "javascript:chat()",
        "/chat.pdf",
        "/wp-login.php?chat",
        "/category/chat/",
        "http://[chat",
        "/start/#chat",
        "/start",
    ],
)
def test_what_leads_elsewhere_or_nowhere_is_left_out(href: str) -> None:
    assert candidates((href, "chat")) == ["https://www.example.org/"]


def test_pages_that_were_visited_are_not_proposed_again() -> None:
    visited = (PAGE, "https://www.example.org/", "https://www.example.org/chat")

    assert candidates(("/chat/", "Chat"), visited=visited) == []
