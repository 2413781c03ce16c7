"""HTTP/1.1 messages: accepted response heads and request values."""

from contextlib import nullcontext

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


def test_headers_are_read_whatever_they_hold() -> None:
    read = parse_head(head(OK, "X-One:  a b\t ", "x-one:c", "Set-Cookie: n=\u00e9", "Empty:") + b"\r\nOdd: \xff")

    assert read.headers == {"x-one": "a b, c", "set-cookie": "n=\u00e9", "empty": "", "odd": "\ufffd"}


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])  # the latter of an nginx whose configuration has it so
def test_a_value_in_several_lines_is_one_and_its_lines_are_no_headers(line_end: str) -> None:
    folded = f"Policy: default-src *;{line_end}  script-src *;{line_end}\tContent-Length: 9"
    read = parse_head(head(OK, "X-One: a", folded, "X-Two: b"))

    assert read.headers == {"x-one": "a", "policy": "default-src *; script-src *; Content-Length: 9", "x-two": "b"}


@pytest.mark.parametrize(
    "lines",
    [
        *(("",), ("HTTP/2 200",), ("HTTP/1.2 200 OK",), ("HTTP/1.1 20 OK",), ("HTTP/1.1 099 OK",), ("HTTP/1.1 200OK",)),
        *((OK, ""), (OK, " folded: x"), (OK, "no colon"), (OK, ": no name"), (OK, "sp ace: x"), (OK, "X: a\0")),
        *((OK, "X: a\nY: b"), ("HTTP/1.1 200 O\x7fK",), (" " + OK,)),
    ],
)
def test_what_breaks_the_grammar_is_no_head(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadResponse):
        parse_head(head(*lines))


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


CHUNKED = "Transfer-Encoding: chunked"
LENGTH = "Content-Length: 5"
LONG = b"x" * 512


@pytest.mark.parametrize(
    ("field", "wire", "payload", "state"),
    [
        ("X: y", b"hello", b"hello", "open"),
        (LENGTH, b"hell", b"hell", "unfinished"),
        (LENGTH, b"hello", b"hello", "finished"),
        (LENGTH, b"hello!", b"hello", "surplus"),
        ("Content-Length: 0", b"", b"", "finished"),
        ("Content-Length: 0", b"!", b"", "surplus"),
        (CHUNKED, b"5\r\nhello\r\n", b"hello", "unfinished"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n", b"hello", "unfinished"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n", b"hello", "finished"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n!", b"hello", "surplus"),
        (CHUNKED, b"0\r\n\r\n", b"", "finished"),
        (CHUNKED, b"000\r\nA: b\r\nC: d\r\n\r\n", b"", "finished"),
        (CHUNKED, b"A;x=y\r\n0123456789\r\n05 \t\r\nhello\r\n0\r\n\r\n", b"0123456789hello", "finished"),
        (
            CHUNKED,
            b"200\r\n%b\r\n1FF\r\n%b\r\n1\r\n\n\r\n0\r\n\r\n" % (LONG, LONG[1:]),
            LONG + LONG[1:] + b"\n",
            "finished",
        ),
        (CHUNKED, b"4\r\n\r\n\r\n\r\n1\r\n.\r\n", b"\r\n\r\n.", "unfinished"),
    ],
)
def test_a_body_is_read_the_same_however_its_bytes_come(field: str, wire: bytes, payload: bytes, state: str) -> None:
    for size in (1, 2, 3, 7, len(wire) or 1):
        body = parse_head(head(OK, field)).framing()
        assert b"".join(body.feed(wire[at : at + size]) for at in range(0, len(wire), size)) == payload
        assert (body.finished, body.has_surplus) == (state in ("finished", "surplus"), state == "surplus")
        with pytest.raises(BadResponse, match="ended early") if state == "unfinished" else nullcontext():
            body.end()


@pytest.mark.parametrize("length", ["", "x", "0x5", "5 5", "-5", "1" * 19])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(BadResponse):
        parse_head(head(OK, f"Content-Length: {length}")).framing()


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
