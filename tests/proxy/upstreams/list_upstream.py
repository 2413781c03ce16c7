"""An upstream that answers from a list and keeps its own copies of conversations."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.upstream import (
    AnswerSink,
    End,
    Health,
    Problem,
    Refusal,
    RefusalReason,
    RetryBudget,
    StopReading,
    UpstreamBots,
    UpstreamCopy,
)
from shared.conversations import Message, Note
from shared.models import Bot
from shared.parsing import site

BOTS = (Bot(id=1, name="GPT-4o mini Helper"), Bot(id=2, name="Listed"))


@dataclass(frozen=True)
class ListedAnswer:
    """One answer: its pieces, and how it ends. The upstream sets the note of *end*."""

    pieces: Sequence[str] = ("listed",)
    end: End | Refusal | ServiceError = field(default_factory=End)
    dropped_messages: int = 0
    hangs: bool = False  # after its pieces


@dataclass(frozen=True)
class ReceivedTurn:
    """A turn as received. *copied*: the messages of the upstream's copy that it continues."""

    ask: Ask
    bot: Bot
    copied: tuple[Message, ...] | None

    @property
    def texts(self) -> list[str]:
        """Texts of all messages, the question included."""
        return [message.text for message in self.ask.messages]

    @property
    def copied_texts(self) -> list[str] | None:
        """Texts of the continued copy."""
        return None if self.copied is None else [message.text for message in self.copied]


def refusal(about: RefusalReason, *, delivered: bool = False, has_begun: bool = False) -> Refusal:
    """A refusal of this upstream."""
    error = ServiceError(502, f"The list refused ({about.value}).", type="server_error", code="listed")
    return Refusal(error, about, delivered=delivered, has_begun=has_begun)


class ListUpstream:
    """Gives `answers` in order, and repeats the last one."""

    def __init__(self, url: str = "http://list.example/", *answers: ListedAnswer, bots: tuple[Bot, ...] = BOTS) -> None:
        self.answers = list(answers) or [ListedAnswer()]
        self.received: list[ReceivedTurn] = []
        self.cut = 0  # answers of which not all was wanted
        self.given = 0  # pieces
        self.waits = 0  # for its sink
        self.is_waiting = False
        self.problem: Problem | None = None
        self.kind: str | None = "list"
        self.supported_parameters: frozenset[str] = frozenset()
        self.is_discovered = True
        self._site = site(url)
        self._bots = UpstreamBots(self._site, bots, 1000.0, self)
        self._copies: dict[str, tuple[Message, ...]] = {}

    @property
    def name(self) -> str:
        """As `Upstream.name`."""
        return self._site.origin

    def has_tools(self, bot: Bot) -> bool:
        """As `Upstream.has_tools`."""
        return False

    def takes(self, bot: Bot, config: ToolConfig | None) -> bool:
        """As `Upstream.takes`."""
        return False

    def rank(self, bot: Bot) -> int:
        """As `Upstream.rank`."""
        return 3 if self.problem else 0

    def health(self) -> Health:
        """As `Upstream.health`."""
        return Health(
            self.name, self.problem, breaker="closed", cooldown_until=None, open_streams=0, queued=0, bots=len(BOTS)
        )

    async def discover(self) -> None:
        """As `Upstream.discover`."""
        self.is_discovered = True

    def bots(self) -> UpstreamBots:
        """As `Upstream.bots`."""
        return self._bots if self.is_discovered else UpstreamBots(self._site, (), 0.0, self)

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`."""
        return self.name, str(bot.id)

    def forget(self) -> None:
        """Lose all copies."""
        self._copies.clear()

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`."""
        copied = self._copied(held)
        if copied is not None and held is not None:
            assert [_role_and_text(each) for each in copied] == [
                _role_and_text(each) for each in ask.messages[: held.messages]
            ]
        budget.left -= 1
        self.received.append(ReceivedTurn(ask, bot, copied))
        listed = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if listed.dropped_messages:
            sink.dropped("messages", listed.dropped_messages)
        try:
            for piece in listed.pieces:
                self.given += 1
                if not sink.text(piece):
                    await self._wait(sink)
        except StopReading:
            self.cut += 1
            raise
        if listed.hangs:
            await asyncio.Event().wait()
        if not isinstance(listed.end, End):
            raise listed.end
        answer = Message(role="assistant", text="".join(listed.pieces))
        name = held.note.name if held and copied is not None else f"copy {len(self.received)}"
        key = f"{self.name} {len(self.received)}"
        self._copies[key] = (*ask.messages, answer)
        end = listed.end
        return End(end.reason, end.refusal, end.sources, end.usage, Note(name=name, value=key))

    async def _wait(self, sink: AnswerSink) -> None:
        self.waits += 1
        self.is_waiting = True
        await sink.ready()
        self.is_waiting = False

    def _copied(self, held: UpstreamCopy | None) -> tuple[Message, ...] | None:
        """The copy to continue; None if it is another upstream's, or lost."""
        return self._copies.get(held.note.value) if held else None


def _role_and_text(message: Message) -> tuple[str, str]:
    return message.role, message.text.strip()


def assistant_message(text: str) -> dict[str, str]:
    """An earlier answer in a client's history."""
    return {"role": "assistant", "content": text}
