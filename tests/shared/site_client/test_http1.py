"""HTTP/1.1 messages: accepted response heads and request values."""

import pytest

from shared.site_client.http1 import MAX_LINE_BYTES, BadResponse, Chunked, parse_head, request_bytes

OK = "HTTP/1.1 200 OK"


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("lines", "keeps_alive"),
    [
        ((OK,), True),
        ((OK, "Connection: Keep-Alive"), True),
        ((OK, "Connection: close"), False),
        ((OK, "Connection: keep-alive", "Connection: Close"), False),
        (("HTTP/1.0 200 OK",), False),
        (("HTTP/1.0 200 OK", "Connection: keep-alive"), True),
        (("HTTP/1.0 200 OK", "Connection: keep-alive, close"), False),
    ],
)
def test_a_connection_is_kept_where_both_sides_keep_it(lines: tuple[str, ...], keeps_alive: bool) -> None:
    assert parse_head(head(*lines)).keeps_alive is keeps_alive


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("field", ["Transfer-Encoding: chunked", "Content-Length: 5", "X: y"])
def test_some_answers_never_have_a_body_whatever_they_say(status: str, field: str) -> None:
    assert parse_head(head(f"HTTP/1.1 {status}", field)).framing().finished


def test_codings_are_compared_case_insensitively() -> None:
    assert isinstance(parse_head(head(OK, "transfer-encoding: Chunked")).framing(), Chunked)


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 6",),
        ("Content-Length: +5",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"),
        ("Transfer-Encoding: gzip, chunked",),
    ],
)
def test_a_body_with_ambiguous_length_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(BadResponse):
        parse_head(head(OK, *fields)).framing()


@pytest.mark.parametrize("chunks", [b"3\r\nabcd\r\n", b"3\r\nab\r\n", b"-1\r\na\r\n", b"x\r\n", b"\r\n", b"3\r\nabcd"])
@pytest.mark.parametrize("size", [1, 100])
def test_a_chunk_has_as_many_bytes_as_it_says(chunks: bytes, size: int) -> None:
    body, whole = Chunked(), b"1\r\n.\r\n" + chunks + b"0\r\n\r\n"

    with pytest.raises(BadResponse, match="chunk"):
        _ = [body.feed(whole[at : at + size]) for at in range(0, len(whole), size)]


def test_endless_trailers_are_refused() -> None:
    body = Chunked()
    body.feed(b"0\r\n")

    with pytest.raises(BadResponse, match="do not end"):
        body.feed(b"X: y\r\n" * MAX_LINE_BYTES)


@pytest.mark.parametrize("mark", ["\r", "\n", "\r\n", "\0"])
def test_no_value_can_inject_a_header(mark: str) -> None:
    injected = f"a{mark}X: y"

    for path, host, headers in ((injected, "site", {}), ("/", injected, {}), ("/", "site", {"Cookie": injected})):
        with pytest.raises(ValueError, match="line break"):
            request_bytes("GET", path, host, headers)
