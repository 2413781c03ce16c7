"""The replies that clients received, and whether each is a complete answer or a valid error."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

ERROR_KEYS = {"message", "type", "param", "code"}
# What a sensible request may be refused with while the site fails in one way or another.
REFUSALS = {
    "address_blocked": 403,
    "challenge": 503,
    "content_filter": 400,
    "credentials_refused": 503,
    "guests_refused": 403,
    "insufficient_quota": 429,
    "no_credentials": 503,
    "rate_limit_exceeded": 429,
    "site_unavailable": 503,
    "upstream_empty_response": 502,
    "upstream_error": 502,
    "upstream_refused": 400,
    "upstream_timeout": 504,
    "upstream_truncated": 502,
    "upstream_unavailable": 503,
    "upstream_unreachable": 502,
}
MUST_SAY_WHEN = frozenset({"no_credentials", "site_unavailable"})  # refusals of our own that name a time to come back


@dataclass(slots=True)
class Reply:
    """One response: its status, the text of the answer in it, and the error in it."""

    status: int
    text: str = ""
    error: dict[str, Any] | None = None
    is_ended: bool = False  # it said that it is whole
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """The results of all requests."""

    answers: Counter[str] = field(default_factory=Counter)  # by the kind of request
    refusals: Counter[str] = field(default_factory=Counter)  # by code
    cancelled: int = 0
    wrong: list[str] = field(default_factory=list)
    last_answer: float = 0.0  # of the steady clock

    @property
    def requests(self) -> int:
        """The number of requests."""
        return self.answers.total() + self.refusals.total() + self.cancelled + len(self.wrong)

    def judge(self, kind: str, reply: Reply, expected: str | None, now: float) -> bool:
        """Count one response; whether it is the answer with the text *expected* (None: it has to be refused)."""
        if reply.error is not None:
            self._refused(kind, reply, expected)
            return False
        if not reply.is_ended:
            self._complain(kind, reply, "neither whole nor an error")
        elif reply.text != expected:
            self._complain(kind, reply, f"another text than {expected!r:.300}")
        else:
            self.answers[kind] += 1
            self.last_answer = now
            return True
        return False

    def _refused(self, kind: str, reply: Reply, expected: str | None) -> None:
        error = reply.error or {}
        code = error.get("code")
        if ERROR_KEYS - set(error) or not error["message"]:
            self._complain(kind, reply, "not an error object of OpenAI's shape")
        elif code not in REFUSALS or reply.status not in {200, REFUSALS[code]}:
            self._complain(kind, reply, "not a refusal that fits")
        elif reply.status != 200 and code in MUST_SAY_WHEN and "retry-after" not in reply.headers:
            self._complain(kind, reply, "no word of when to come back")
        elif reply.is_ended:
            self._complain(kind, reply, "an error in an answer that is said to be whole")
        elif expected is not None and not expected.startswith(reply.text):
            self._complain(kind, reply, f"not the beginning of {expected!r:.300}")
        else:
            self.refusals[str(code)] += 1

    def _complain(self, kind: str, reply: Reply, why: str) -> None:
        self.wrong.append(f"{kind}: {why}: {reply.status} {reply.text!r:.300} {reply.error}")


async def read_reply(response: aiohttp.ClientResponse) -> Reply:
    """Read a whole response of any shape."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    assert "x-request-id" in headers, headers
    raw = await response.text()
    if response.content_type == "text/event-stream":
        return _streamed(response.status, raw, headers)
    body = json.loads(raw)
    if response.status != 200:
        return Reply(response.status, error=body["error"], headers=headers)
    return Reply(200, _text_of(body), is_ended=True, headers=headers, body=body)


def _text_of(body: dict[str, Any]) -> str:
    if body.get("object") == "response":
        return "".join(part["text"] for item in body["output"] for part in item["content"])
    return "".join(choice["message"]["content"] for choice in body.get("choices", ()))


def _streamed(status: int, raw: str, headers: dict[str, str]) -> Reply:
    reply = Reply(status, headers=headers)
    for line in raw.split("\n"):
        if line == "data: [DONE]":
            reply.is_ended = True
        elif line.startswith("data: "):
            _take(reply, json.loads(line.removeprefix("data: ")))
    return reply


def _take(reply: Reply, event: dict[str, Any]) -> None:
    """Add one event of either of the two shapes of streams."""
    kind = event.get("type")
    if kind == "response.output_text.delta":
        reply.text += event["delta"]
    elif kind == "response.completed":
        reply.is_ended = True
        reply.body = event["response"]
    elif kind == "error":
        reply.error = event
    elif kind is None and "error" in event:
        reply.error = event["error"]
    elif kind is None:
        reply.text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
