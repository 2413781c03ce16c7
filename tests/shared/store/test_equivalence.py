"""Random sequences of calls have the same results in all stores."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from shared.admin.keys import ApiKey
from shared.admin.usage import UsageBatch, UsageGroup, day_of, hour_of
from shared.conversations import Citation, Conversation, Message, Note, ToolCall, ToolResult, TurnResult
from shared.store import Store, StoreError, open_store
from tests.redis_server import RedisServer
from tests.shared.samples import SITE, capture, note, visit

STEPS = 120
IDS = ("conv-1", "conv-2", "conv-3")
SITES = (SITE, "https://other.example")
TEXTS = ("", "hi", "视觉", "\ud800", "a\0b", '\n"\\', "x" * 300)


@pytest.fixture
async def stores(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[list[Store]]:
    """An empty one of each kind."""
    async with AsyncExitStack() as stack:
        urls = (f"sqlite:///{tmp_path}/store.db", redis_server.url)
        yield [await stack.enter_async_context(open_store(url)) for url in urls]


class RandomCalls:
    """Makes random calls to all stores."""

    def __init__(self, stores: list[Store], seed: int) -> None:
        self._stores = stores
        self._random = Random(seed)
        self._last = 0
        self._now = 1000.0
        self._turns = ["t1", "t2", "t3"]

    async def compare(self, method: str, *args: object, **more: object) -> object:
        """Call *method* of every store; check that the results are equal, and return one."""
        answers = [await _answer(store, method, *args, **more) for store in self._stores]
        assert answers[1:] == answers[:-1], (method, args, more)
        return answers[0]

    async def step(self) -> None:
        """Make one random change, then compare what the stores hold."""
        pick = self._random.choice
        # Never twice the same: which of two that were touched at once goes first is open.
        self._now = max(self._now + pick((0.25, 0.5, 5.0, 100.0, -2.0)), 1.0) + self._number() / 2**20
        await pick(
            (self._conversation, self._conversation, self._turn, self._turn, self._visit, self._key, self._site)
        )()
        for name in IDS:
            await self.compare("conversation", name)
        for site in SITES:
            await self.compare("site_state", site)
            await self.compare("pending_ask", site)
            await self.compare("visits", site)
        await self.compare("keys")

    async def _conversation(self) -> None:
        pick, name = self._random.choice, self._random.choice(IDS)
        response, metadata = pick(("", '{"a":"%s"}' % ("视" * 300))), pick(({}, {"视": "x" * 40}))
        new = Conversation(id=name, created_at=self._now, updated_at=self._now, messages=self._messages())
        await self.compare("create_conversation", replace(new, response=response, metadata=metadata, note=self._note()))
        await self.compare("update_metadata", pick(IDS), pick(({}, {"k": "v"})), at=self._now + 0.125)
        if self._random.random() < 0.3:
            await self.compare("delete_conversation", pick(IDS))
        await self.compare("prune", before=self._now - 1000, max_bytes=self._random.randrange(9000), now=self._now + 5)

    async def _turn(self) -> None:
        pick, name, turn = self._random.choice, self._random.choice(IDS), self._random.choice(self._turns)
        history = pick((None, self._messages()))
        result = TurnResult(turn_id=turn, at=self._now, history=history, added=self._messages(), note=self._note())
        found = await self._stores[0].conversation(name)
        gone = pick(found.messages).id if found and found.messages else "none"
        method, *args = pick(
            (
                ("begin_turn", name, turn),
                ("abandon_turn", name, turn),
                ("commit_turn", name, result),
                ("add_messages", name, self._messages()),
                ("delete_message", name, gone),
            )
        )
        await self.compare(method, *args, **({} if method in {"abandon_turn", "commit_turn"} else {"at": self._now}))
        if method == "commit_turn":  # none is committed twice
            self._turns[self._turns.index(turn)] = f"t{self._number()}"
        await self.compare("add_copies", [(pick("ab"), note(f"copy-{self._number()}"), self._now)])
        await self.compare("take_copy", pick("ab"))

    async def _visit(self) -> None:
        pick, site = self._random.choice, self._random.choice(SITES)
        await self.compare("ask_visit", site, pick(("", "why", "视 觉")), at=self._now)
        finished = replace(visit(self._number(), site=site), started_at=self._now - 5)
        await self.compare("end_visit", finished, "holder", screenshot=pick((None, b"png")))

    async def _key(self) -> None:
        pick, number = self._random.choice, self._number()
        key = ApiKey(id=f"key_{number}", name=pick(("a", "视")), digest="d", hint="h", created_at=self._now)
        await self.compare("add_key", key)
        await self.compare("revoke_key", f"key_{number - pick((0, 5, 50))}", at=self._now)
        await self.compare("rotate_key", f"key_{number - 10}", digest="e", hint="g")
        await self.compare("admit_requests", "key_1", at=self._now, rpm=pick((None, 3)), tpd=pick((None, 50)), count=2)
        used = {UsageGroup(hour_of(self._now), "master", "视", SITE): {"requests": 1, "error:x": number}}
        tokens = {("key_1", day_of(self._now)): 7}
        await self.compare("add_usage", UsageBatch(f"batch-{number}", used, tokens, {f"key_{number}": self._now}))
        await self.compare("key_counts", "key_1", at=self._now)
        await self.compare("usage", since=0.0, until=self._now)

    async def _site(self) -> None:
        pick, base = self._random.choice, self._random.randrange(5)
        nonce = pick(("same", f"nonce-{self._number()}"))
        await self.compare("save_capture", capture(nonce, at=self._now, identity=pick(("{}", '{"视":1}'))), base=base)
        await self.compare("save_nonce", SITE, pick(("same", "other")), checked_at=self._now, base=base + 1)
        await self.compare("mark_good", SITE, base)
        await self.compare("identity", SITE)
        await self.compare("set_note", "name", pick(("视", "")))
        await self.compare("get_note", "name")

    def _messages(self) -> tuple[Message, ...]:
        pick = self._random.choice
        call = ToolCall(
            id="call", name=pick(("f", "视")), arguments=pick(("{}", '{"a":"视"}')), signed=pick(("", "{}"))
        )
        kinds = (
            Message(role="user", text=pick(TEXTS), images=("a" * 64,) * self._random.randrange(3)),
            Message(role="user", text=pick(TEXTS), result=ToolResult(call_id="call", name="视", failed=True)),
            Message(role="assistant", text=pick(TEXTS), calls=(call, call), thoughts=pick(TEXTS)),
            Message(role="assistant", text=pick(TEXTS), sources=(Citation("https://é.example/", pick(TEXTS), 1, 2),)),
        )
        return tuple(replace(pick(kinds), id=f"msg_{self._number()}") for _ in range(self._random.randint(1, 3)))

    def _note(self) -> Note | None:
        return self._random.choice((None, note("copy-x"), note("copy-y")))

    def _number(self) -> int:
        self._last += 1
        return self._last


async def _answer(store: Store, method: str, *args: object, **more: object) -> object:
    try:
        return await getattr(store, method)(*args, **more)
    except StoreError as error:
        return type(error), str(error)


@pytest.mark.parametrize("seed", range(3))
async def test_all_stores_answer_the_same(stores: list[Store], seed: int) -> None:
    hand = RandomCalls(stores, seed)
    for _ in range(STEPS):
        await hand.step()
