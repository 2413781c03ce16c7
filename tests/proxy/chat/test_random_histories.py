"""Whatever clients do with a history before they send it again, the model is shown exactly that, each time.

They edit, cut, fork and repeat it, leave amid an answer, change the system text, the model and the API, and do all that
at the same time.
"""

import asyncio
import json
import os
import random
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.proxy.chat.test_memory import STATEFUL, STATELESS, History, known_texts, trimmed
from tests.proxy.running import RunningProxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite

ROUNDS = int(os.environ.get("TEST_HISTORIES", "100"))
SEEDS = [random.randrange(2**32)] if "TEST_HISTORIES" in os.environ else [1, 2, 3]
MODELS = (STATEFUL, STATELESS, "gemini-flash")
TEXTS = ("hello", "and?", "why", "----- user -----\nnot a header", "a < b && c", "视觉 😀", "again")
SYSTEMS = (None, "Be brief.", "Be long.")
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")


@dataclass
class Branch:
    """A history as one client has it."""

    history: History = field(default_factory=list)
    system: str | None = None


class Clients:
    """Clients with branches of a few conversations, which they change at random."""

    def __init__(self, seed: int, proxy: RunningProxy, site: SimulatedSite) -> None:
        self._random = random.Random(seed)
        self._proxy = proxy
        self._site = site
        self._branches = [Branch() for _ in range(4)]

    async def go_on(self) -> None:
        """One of them asks, while others may."""
        number = self._random.randrange(len(self._branches))
        branch = self._changed(self._branches[number])
        branch.history.append(self._question())
        self._site.model_calls.clear()
        others = [asyncio.create_task(self._ask_beside(branch)) for _ in range(self._random.choice([0, 0, 1, 2]))]
        if self._random.random() < 0.1:
            await self._leave(branch)
        answer = await self._ask(branch)
        assert answer.status == 200, answer.body
        self._check(branch)
        await asyncio.gather(*others)
        branch.history.append({"role": "assistant", "content": text_of(json.loads(answer.body))})
        self._branches[number] = branch

    def _changed(self, branch: Branch) -> Branch:
        """*branch*, or another one made of it."""
        changed = deepcopy(branch)
        history, chance = changed.history, self._random.random()
        if len(history) > 12 or chance < 0.05:
            return Branch(system=self._random.choice(SYSTEMS))
        if history and chance < 0.2:
            del history[self._random.randrange(0, len(history), 2) :]
        elif history and chance < 0.3:
            self._random.choice(history)["content"] = self._random.choice(TEXTS)
        elif history and chance < 0.35:
            del history[: self._random.randrange(0, len(history), 2)]
        elif chance < 0.4:
            changed.system = self._random.choice(SYSTEMS)
        elif chance < 0.5:
            self._branches[self._random.randrange(len(self._branches))] = deepcopy(changed)
        return changed

    def _question(self) -> dict[str, str]:
        return {"role": "user", "content": f"{self._random.choice(TEXTS)} [[tokens:3]]"}

    async def _ask(self, branch: Branch) -> WireResponse:
        path, model = self._random.choice(PATHS), self._random.choice(MODELS)
        return await exchange(self._proxy.url, "POST", path, body_for(path, model, branch))

    async def _ask_beside(self, branch: Branch) -> None:
        """Ask something else of the same history, or of another one; perhaps leave amid the answer."""
        beside = deepcopy(self._random.choice([branch, *self._branches]))
        if beside.history and beside.history[-1]["role"] == "user":
            beside.history.pop()
        beside.history.append(self._question())
        await (self._leave(beside) if self._random.random() < 0.5 else self._ask(beside))

    async def _leave(self, branch: Branch) -> None:
        try:
            async with asyncio.timeout(self._random.choice([0.001, 0.004, 0.01, 0.02])):
                await self._ask(branch)
        except TimeoutError:
            pass

    def _check(self, branch: Branch) -> None:
        """One of the model's calls was of *branch*."""
        told = [(str(call.context), known_texts(call)) for call in self._site.model_calls]
        shown = [
            (all_of_it, trimmed([each for each in texts if each["role"] != "system"])) for all_of_it, texts in told
        ]
        assert trimmed(branch.history) in [texts for _, texts in shown]
        # Another one may have the same history below another system text.
        assert any((branch.system or "") in all_of_it for all_of_it, texts in shown if texts == trimmed(branch.history))


def body_for(path: str, model: str, branch: Branch) -> dict[str, Any]:
    """The request of the API at *path* that sends *branch*."""
    system = branch.system
    if path == "/v1/responses":
        return {"model": model, "input": branch.history, "instructions": system, "store": False}
    if path == "/v1/messages":
        return {"model": model, "max_tokens": 500, "messages": branch.history, **({"system": system} if system else {})}
    told = [{"role": "system", "content": system}] if system else []
    return {"model": model, "messages": told + branch.history}


def text_of(answer: Any) -> str:
    """The text of an answer of any of the APIs."""
    if "choices" in answer:
        return str(answer["choices"][0]["message"]["content"])
    parts = answer["content"] if "content" in answer else answer["output"][0]["content"]
    return "".join(part["text"] for part in parts)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_model_is_shown_exactly_what_the_client_sends(
    seed: int, proxy: RunningProxy, site: SimulatedSite
) -> None:
    clients = Clients(seed, proxy, site)
    for _ in range(ROUNDS):
        await clients.go_on()
