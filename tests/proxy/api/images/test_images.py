"""Pictures in requests, before and after they are fetched."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.api.images.reading import (
    MAX_IMAGE_BYTES,
    Fetched,
    ImageAddress,
    Picture,
    put_in,
    read_content,
    read_image_url,
    to_fetch,
)
from proxy.chat.ask import Ask, Image
from proxy.chat.errors import ServiceError
from proxy.upstreams.aipkit.site import MAX_IMAGES
from shared.conversations import Message, Role
from tests.pictures import GIF, JPEG, PNG, WEBP

URL = "https://example.org/a.png?signature=secret"


def data_url(content: bytes, *, head: str = "data:image/png;base64,") -> str:
    return head + base64.b64encode(content).decode()


def message_with(role: Role, *images: str) -> Message:
    return Message(role=role, text="x", images=images)


def code_of(value: Any) -> str | None:
    with pytest.raises(ServiceError) as exc_info:
        read_image_url(value, "messages.0.content.1")
    assert (exc_info.value.status, exc_info.value.param) == (400, "messages.0.content.1")
    assert "secret" not in exc_info.value.message
    return exc_info.value.code


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (GIF, "image/gif"), (b"GIF87a", "image/gif")],
)
def test_the_same_picture_is_the_same_whichever_way_it_comes(content: bytes, kind: str) -> None:
    sent = read_image_url({"url": data_url(content, head="DATA:text/html;charset=x;BASE64,")}, "x")

    assert (
        sent == read_content(content, "x") == (hashlib.sha256(content).hexdigest(), Image(kind, data_url(content)[22:]))
    )


def test_base64_may_be_in_lines_and_without_padding() -> None:
    """As Android's apps and MIME have it; upstreams get it as it should be."""
    content = PNG + bytes(101)
    lines = base64.encodebytes(content).decode()
    assert lines.endswith("=\n")
    assert lines.count("\n") > 1

    for payload in (lines, lines.replace("\n", "\r\n"), " " + lines, lines.rstrip("=\n")):
        assert read_image_url(f"data:image/png;base64,{payload}", "x") == read_content(content, "x")


@pytest.mark.parametrize("beyond", range(-3, 5))
def test_large_data_urls_are_read_piece_by_piece_to_the_same_end(beyond: int) -> None:
    content = PNG.ljust(1024 * 768 + beyond, b"x")  # a piece, and a little less or more

    assert read_image_url(data_url(content), "x") == read_content(content, "x")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *(
            (value, "invalid_image_url")
            for value in (None, 5, {}, {"url": None}, "", "a.png", "ftp://example.org/secret")
        ),
        *((f"http://{host}/", "invalid_image_url") for host in ("", "user:secret@example.org", "[::1", "x:99999")),
        *((f"data:image/png{rest}", "invalid_image_url") for rest in ("", ",plain", ";base64")),
        *((f"data:image/png;base64,{rest}", "invalid_base64_image") for rest in ("***", "iVBORw0KG")),
        (data_url(PNG) + "====" + "A" * 1024 * 1024, "invalid_base64_image"),
        (
            "data:image/png;base64," + "iVBORw0KGgoA" + "A" * (1024 * 1024 - 16) + "AA==" + "AAAA",
            "invalid_base64_image",
        ),
        ("data:image/png;base64,", "invalid_image_format"),
        (data_url(b"BM\0\0\0\0"), "invalid_image_format"),
        (data_url(b"RIFF....WAVE"), "invalid_image_format"),
        (data_url(PNG + bytes(MAX_IMAGE_BYTES - len(PNG) + 1)), "image_too_large"),
        (data_url(PNG + bytes(MAX_IMAGE_BYTES)), "image_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_picture_is_refused_by_its_field(value: Any, code: str) -> None:
    assert code_of(value) == code


def test_a_picture_of_just_the_limit_is_taken() -> None:
    content = PNG + bytes(MAX_IMAGE_BYTES - len(PNG))

    assert read_image_url(data_url(content), "x")[0] == hashlib.sha256(content).hexdigest()


def test_what_was_fetched_must_be_a_picture() -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_content(b"<!doctype html>", "input.0.content.1")

    assert (exc_info.value.code, exc_info.value.param) == ("invalid_image_format", "input.0.content.1")


def test_an_address_stands_for_its_picture_under_a_name_of_its_own() -> None:
    name, picture = read_image_url({"url": URL}, "messages.0.content.1")

    assert picture == ImageAddress(URL, "messages.0.content.1")
    assert name != read_image_url({"url": URL + "x"}, "x")[0]
    assert name != hashlib.sha256(URL.encode()).hexdigest()  # a text of that content is no picture, but who knows
    assert "secret" not in repr(picture)


def test_only_the_pictures_after_the_last_answer_are_new() -> None:
    pictures = {name: ImageAddress(f"https://example.org/{name}", name) for name in "abcd"}
    history = [
        message_with("user", "a", "b"),
        message_with("assistant"),
        message_with("user", "c", "x"),
        message_with("user", "d", "d"),
    ]

    pending, new = to_fetch(history, pictures)

    assert [address.where for address in pending] == ["d", "c", "b", "a"]
    assert new == {"c", "d"}
    assert to_fetch([*history, message_with("assistant")], pictures)[1] == new
    assert to_fetch([message_with("system", "a")], pictures)[1] == {"a"}
    assert to_fetch([], {}) == ([], set())


def test_fetched_pictures_take_the_place_of_their_addresses() -> None:
    image, other = Image("image/png", "AAAA"), Image("image/png", "BBBB")
    pictures: dict[str, Picture] = {
        "a": ImageAddress("https://x/a", "p"),
        "b": ImageAddress("https://x/b", "q"),
        "c": other,
    }
    history = [message_with("user", "a", "b", "c"), message_with("assistant"), message_with("user", "a")]

    messages, held = put_in(history, pictures, {"a": Fetched("digest", image)})

    assert [message.images for message in messages] == [("digest", "b", "c"), (), ("digest",)]
    assert held == {"digest": image, "c": other}
    ask = Ask("any", messages, held)
    assert ask.pictures(messages, limit=MAX_IMAGES) == ((image, other, image), 0)
    assert ask.pictures(messages, limit=1) == ((image,), 2)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=5))
def test_the_last_item_is_the_new_message(names: list[list[str]]) -> None:
    history = [message_with("user", *images) for images in names]
    pictures = {name: Image("image/png", name) for name in "abcdef"}

    images, left_out = Ask("any", tuple(history), pictures).pictures(history, limit=MAX_IMAGES)
    sent = [image.base64 for image in images]

    assert sent == [name for images in names for name in images][-4:]
    assert left_out == sum(map(len, names)) - len(sent)
