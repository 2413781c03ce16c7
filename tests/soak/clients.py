"""The soak's clients: streams, whole answers, conversations of each kind, cancellations and invalid requests."""

import asyncio
import random
from collections.abc import Callable
from time import monotonic
from typing import Any

import aiohttp

from tests.soak.server import MODEL
from tests.soak.tally import Reply, Tally, read_reply

AIPKIT_MODELS = ("gpt-4o-mini-helper", "gpt-5-nano", "gemini-flash", "deepseek-bot", "claude-sonnet-b", "old-api-bot")
AI_ENGINE_MODELS = ("gpt-4o-mini", "llama")
SERVER = "local"
SERVER_MODELS = (f"{SERVER}/{MODEL}",)
MODELS = AIPKIT_MODELS + AI_ENGINE_MODELS + SERVER_MODELS
WORDS = (
    "and",
    "so",
    "你好",
    "世界",
    "😀",
    "👨‍👩‍👧",
    "naïve",
    "<b>",
    "&amp;",
    '"quoted"',
    "back\\slash",
    "{1}",
    "\n",
    "data:",
)
FAILING = ("err429", "err500", "late_error", "cut", "cut_clean", "failed", "empty", "reset", "stall")
BAD: tuple[tuple[str, bytes, int], ...] = (
    ("chat/completions", b"{", 400),
    ("chat/completions", b"[]", 400),
    ("chat/completions", b'{"messages":[{"role":"user","content":"hi"}]}', 400),
    ("chat/completions", b'{"model":"no-such-model","messages":[{"role":"user","content":"hi"}]}', 404),
    ("chat/completions", b'{"model":"gpt-5-nano","messages":"hi"}', 400),
    ("chat/completions", b'{"model":"gpt-5-nano","messages":[{"role":"user","content":"x"}],"max_tokens":-2}', 400),
    ("responses", b'{"model":"gpt-5-nano","input":"hi","previous_response_id":"resp_none"}', 404),
    ("no/such/path", b"{}", 404),
)
TURNS = 4
MOVING = 0.25  # of the turns of a conversation
TRYING_SECONDS = 30.0  # how long a turn of a conversation is tried again; a fault is over by then
PAUSE_SECONDS = 0.3
ANSWER_SECONDS = 60.0


class Client:
    """One client that asks one thing after the other."""

    def __init__(self, url: str, tally: Tally, chance: random.Random) -> None:
        self._url, self._tally, self._chance = url, tally, chance
        self._http: aiohttp.ClientSession
        self._count = 0

    async def run(self) -> None:
        """Ask until cancelled."""
        kinds = [
            (self._say, 40),
            (self._count_up, 15),
            (self._conversation, 8),
            (self._resent_history, 8),
            (self._chain_of_responses, 8),
            (self._cancel, 15),
            (self._failing, 5),
            (self._bad, 15),
            (self._probe, 10),
        ]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as self._http:
            while True:
                (ask,) = self._chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
                try:
                    await ask()
                except (aiohttp.ClientError, TimeoutError) as error:
                    self._tally.wrong.append(f"{ask.__name__}: {error!r}")
                await asyncio.sleep(self._chance.uniform(0.0, 0.1))

    async def _say(self) -> None:
        text = self._text()
        await self._chat("chat", [user(f"[[say:{text}]]")], text)

    async def _count_up(self) -> None:
        count = self._chance.choice((5, 60, 1500))
        delay = 0.02 if count < 100 else 0.0
        await self._chat("count", [user(f"[[delay:{delay}]] [[tokens:{count}]]")], numbered_tokens(count))

    async def _conversation(self) -> None:
        async with self._http.post(f"{self._url}/v1/conversations") as response:
            name = (await response.json())["id"]
            assert response.status == 200
        await self._remembered("conversation", lambda text, _: ([user(text)], {"conversation_id": name}))
        async with self._http.delete(f"{self._url}/v1/conversations/{name}") as response:
            assert response.status == 200, await response.text()

    async def _resent_history(self) -> None:
        await self._remembered("history", lambda text, earlier: ([*earlier, user(text)], {}))

    async def _remembered(
        self, kind: str, build: Callable[[str, list[dict[str, str]]], tuple[list[dict[str, str]], dict[str, Any]]]
    ) -> None:
        """Some turns, each tried until it is answered; then the model must know each message exactly once.

        Now and then another model goes on, also one of another kind of upstream.
        """
        model = self._chance.choice(MODELS)
        marks: list[str] = []
        history: list[dict[str, str]] = []
        for _ in range(TURNS):
            if self._chance.random() < MOVING:
                model = self._chance.choice(MODELS)
            marks.append(self._mark())
            prompt, text = f"{marks[-1]} [[say:so be it]]", "so be it"
            messages, fields = build(prompt, history)
            if not await self._retry_until_answered(kind, messages, text, model=model, **fields):
                return
            history += [user(prompt), {"role": "assistant", "content": text}]
        messages, fields = build("[[recall]]", history)
        reply = await self._post("chat/completions", {"model": model, "messages": messages, **fields})
        # What is recalled is known only now; a refusal is judged like any other.
        if self._tally.judge(kind, reply, reply.text, monotonic()):
            known = {mark: reply.text.count(mark) for mark in marks}
            if set(known.values()) != {1}:
                self._tally.wrong.append(f"{kind} of {model}: the model knows {known}: {reply.text!r:.2000}")

    async def _chain_of_responses(self) -> None:
        previous: dict[str, str] = {}
        for _ in range(TURNS):
            text = self._text()
            body = {"model": self._chance.choice(MODELS), "input": f"[[say:{text}]]", **previous}
            reply = await self._post("responses", {**body, "stream": self._chance.random() < 0.5})
            if not self._tally.judge("responses", reply, text, monotonic()):
                return
            previous = {"previous_response_id": reply.body["id"]}

    async def _cancel(self) -> None:
        """Leave in the middle of a stream, or before it began."""
        body = {"model": MODELS[0], "messages": [user("[[delay:0.05]] [[tokens:200]]")], "stream": True}
        try:
            async with asyncio.timeout(self._chance.uniform(0.02, 0.6)):
                async with self._http.post(f"{self._url}/v1/chat/completions", json=body) as response:
                    async for _ in response.content.iter_any():
                        continue
        except TimeoutError:
            self._tally.cancelled += 1

    async def _failing(self) -> None:
        mode = self._chance.choice(FAILING)
        # Of other models the protocol does not tell a reply that was cut off politely from a whole one.
        await self._chat(mode, [user(f"[[mode:{mode}]] hi")], None, model=MODELS[0])

    async def _bad(self) -> None:
        path, body, status = self._chance.choice(BAD)
        async with self._http.post(f"{self._url}/v1/{path}", data=body) as response:
            reply = await read_reply(response)
        if reply.status == status and reply.error and {"message", "type", "param", "code"} == set(reply.error):
            self._tally.answers["bad request"] += 1
        else:
            self._tally.wrong.append(f"bad request {body!r}: {reply}")

    async def _probe(self) -> None:
        for path, statuses in (("healthz", {200}), ("readyz", {200, 503}), ("v1/models", {200})):
            async with self._http.get(f"{self._url}/{path}") as response:
                await response.json()
            if response.status not in statuses:
                self._tally.wrong.append(f"/{path}: {response.status}")

    async def _retry_until_answered(self, kind: str, messages: list[dict[str, str]], text: str, **fields: Any) -> bool:
        last = monotonic() + TRYING_SECONDS
        while not await self._chat(kind, messages, text, **fields):
            if monotonic() > last:
                return False
            await asyncio.sleep(PAUSE_SECONDS)
        return True

    async def _chat(
        self, kind: str, messages: list[dict[str, str]], expected: str | None, *, model: str = "", **fields: Any
    ) -> bool:
        """One turn, streamed or whole; whether it was answered as expected."""
        model = model or self._chance.choice(MODELS)
        stream = self._chance.random() < 0.6
        body = {"model": model, "messages": messages, "stream": stream, **fields}
        return self._tally.judge(kind, await self._post("chat/completions", body), expected, monotonic())

    async def _post(self, path: str, body: dict[str, Any]) -> Reply:
        async with self._http.post(f"{self._url}/v1/{path}", json=body) as response:
            return await read_reply(response)

    def _text(self) -> str:
        """A text that was not used before."""
        return " ".join([self._mark(), *self._chance.choices(WORDS, k=self._chance.choice((3, 30, 300))), "end"])

    def _mark(self) -> str:
        self._count += 1
        return f"mark-{self._chance.getrandbits(48):012x}-{self._count}"


def user(text: str) -> dict[str, str]:
    """A message of the user."""
    return {"role": "user", "content": text}


def numbered_tokens(count: int) -> str:
    """What the simulated model says to `[[tokens:COUNT]]`."""
    return "".join(f"word{number} " for number in range(1, count + 1))
