"""Answers by schema: the JSON in what the model wrote, mended, checked, as bare text."""

import re
from collections.abc import Iterator

from proxy.chat.tools.coercion import Unfit, fit
from proxy.chat.tools.definitions import Wanted
from proxy.chat.tools.mending import Broken, Read, dump_json, read_json
from proxy.chat.tools.scanning import JsonScanner
from proxy.chat.tools.schema import compiled

_MAX_TRIED = 8  # places where the JSON may begin
_FENCE = re.compile(r"^[ ]{0,3}```[ \t]*(?:json[5c]?)?[ \t]*\r?\n", re.MULTILINE | re.IGNORECASE)
_FENCE_END = re.compile(r"^[ ]{0,3}```[ \t]*$", re.MULTILINE)
_OPEN = re.compile(r"[{\[]")
_ANY_OBJECT = {"type": "object"}


def read_answer(text: str, wanted: Wanted, *, cut: bool = False) -> Read:
    """The JSON text that was asked for, out of *text*. Raises `Unfit`.

    *cut*: it ended before the model was done, so nothing is added to it.
    """
    schema = compiled(_ANY_OBJECT if wanted.schema is None else wanted.schema)
    trouble = ""
    for candidate, is_apart in _behind_thoughts(text):
        try:
            content, mended = read_json(candidate, close=is_apart and not cut)
            fitted = fit(content, schema)
            return Read(dump_json(fitted.value), mended or fitted.mended)
        except (Broken, Unfit) as error:
            trouble = trouble or str(error)
    raise Unfit(trouble or "there is no JSON in the answer")


def _behind_thoughts(text: str) -> Iterator[tuple[str, bool]]:
    """As `_candidates`, but what a model thought first may hold other JSON. Of some the beginning is not told."""
    begins, (_, end, rest) = text.lstrip(), text.partition("</think>")
    if begins.startswith("<think>"):
        yield from _candidates(rest or text)
        return
    if end and begins[0] not in "{[`":  # there it may be a part of the JSON
        yield from _candidates(rest)
    yield from _candidates(text)


def _candidates(text: str) -> Iterator[tuple[str, bool]]:
    """Where the JSON may be, the likeliest first; and whether it stands apart, so that its end is known."""
    stripped = text.strip()
    if stripped[:1] not in ("", "`"):
        yield stripped, stripped[-1] in "}]"  # a number or a word at the end may be half of one
    for count, opening in enumerate(_FENCE.finditer(text)):
        if count == _MAX_TRIED:
            break
        body = _fenced(text, opening.end())
        if body.strip():
            yield body.strip(), _may_close(text, opening.end(), body)
    at = 0
    for _ in range(_MAX_TRIED):
        match = _OPEN.search(text, at)
        if match is None:
            return
        end = JsonScanner().feed(text[match.start() :])
        at = match.start() + end if end > 0 else match.end()
        if end > 0:
            yield text[match.start() : at], False


def _may_close(text: str, start: int, body: str) -> bool:
    """Whether only brackets can be missing in the *body* of a fence: it was closed, or ends with a bracket."""
    return start + len(body) < len(text) or body.rstrip()[-1:] in ("}", "]")


def _fenced(text: str, start: int) -> str:
    """What is in the fence that begins at *start*; one that is part of a string in the JSON does not end it."""
    end = JsonScanner().feed(text[start:])
    if end > 0 and _FENCE_END.match(text[start + end :].lstrip()):
        return text[start : start + end]
    closing = _FENCE_END.search(text, start)
    return text[start : closing.start()] if closing else text[start:]
