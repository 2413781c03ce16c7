"""What stands behind the chat: the interface of every kind of upstream, and how an answer comes from one.

An upstream is asked with an `Ask` and calls its sink with each event as it comes; what it returns tells how the answer
ended. Nothing here knows a plugin, a protocol or a socket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from random import uniform
from time import monotonic
from typing import Any, Literal, Protocol, runtime_checkable

from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extra
from proxy.chat.tokens import Usage
from shared.conversations import Call, Message, Note
from shared.models import Bot, Credentials
from shared.parsing import Site

MAX_TRIES = 3  # of one request, on all upstreams together
RETRY_SECONDS = 60.0  # after which nothing is tried again

BreakerState = Literal["closed", "half_open", "open"]
BREAKER_STATES: tuple[BreakerState, ...] = ("closed", "half_open", "open")  # the best first
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Source:
    """A page that the answer rests on. *start* and *end*: the part of the text that does, in characters."""

    url: str
    title: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended. *stop*: the stop sequence at which it did.

    *refusal* is what the model said instead of an answer. *usage* is None where the upstream tells none. *note* is what
    the upstream needs to go on from here; None where its own copy does not hold exactly what was asked and answered.
    *extra* is all that was told beside the text, of an answer that is given in one piece.
    """

    reason: FinishReason = "stop"
    refusal: str | None = None
    sources: Sequence[Source] = ()
    usage: Usage | None = None
    note: Note | None = None
    stop: str | None = None
    extra: Extra | None = None

    def of_json(self) -> "End":
        """The same for a text that was read as JSON and written anew: nobody knows what of it rests on which page."""
        sources = tuple(replace(source, start=0, end=0) for source in self.sources)
        return replace(self, sources=sources) if sources else self

    def kept(self, answer: Message) -> Message:
        """What is remembered of *answer*: a refusal, where that is all that was said."""
        if self.refusal and not answer.text and not answer.calls:
            return replace(answer, text=self.refusal)
        return answer


@dataclass(frozen=True, slots=True)
class Held:
    """An upstream's copy of a conversation: its own note on it, and how many messages it holds, from the first one."""

    note: Note
    messages: int


class About(Enum):
    """What a refusal is about."""

    MESSAGE = "message"  # any upstream would refuse it
    COPY = "copy"  # what was to be continued is gone
    MODEL = "model"
    QUOTA = "quota"
    RATE = "rate"
    PACE = "pace"  # the upstream takes no more turns of this address for a while
    CREDENTIALS = "credentials"
    UPSTREAM = "upstream"  # it is not well
    ANSWER = "answer"  # it is well, and this answer broke off or came out wrong


class Refusal(Exception):
    """An upstream did not answer, or broke off. *error* is what the client is told if nobody else answers.

    *delivered*: the upstream may have put the messages into its history. *has_begun*: it had begun to answer.
    *retry_after*: when it may answer again, in seconds, where it says so.
    """

    def __init__(
        self,
        error: ServiceError,
        about: About,
        *,
        delivered: bool,
        has_begun: bool,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.about = about
        self.delivered = delivered
        self.has_begun = has_begun
        self.retry_after = retry_after

    @property
    def may_move_on(self) -> bool:
        """Whether another upstream may well answer what this one did not."""
        return self.about not in (About.MESSAGE, About.COPY)


class Enough(Exception):
    """Raised by a `Sink` that wants no more of an answer; the upstream stops reading and lets it through.

    *stop*: the stop sequence that was met.
    """

    def __init__(self, reason: FinishReason, stop: str | None = None) -> None:
        super().__init__(reason)
        self.end = End(reason, stop=stop)


class Sink(Protocol):
    """Takes the events of an answer, by plain calls."""

    def text(self, text: str) -> bool:
        """Take a piece of text. False: await `ready` before the next. Raises `Enough`."""

    def call(self, call: Call) -> bool:
        """Take a whole call of a tool, after the text that comes before it. As `text`."""

    def beside(self, extra: Extra) -> bool:
        """Take a piece of text with what a server told beside it; none comes unless `Ask.beside`. As `text`."""

    async def ready(self) -> None:
        """Wait until more can be taken."""


class AnswerSink(Sink, Protocol):
    """What an upstream gives its answer to."""

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """So many of the oldest messages, or images, were not sent. Told before the first text."""


def restart_pause(tries: int) -> float:
    """Seconds to wait after so many *tries* where nobody is there: about 1, then 2, so that a restart is bridged.

    The jitter keeps turns that failed together from coming back together.
    """
    return 0.7 * 2.5 ** (tries - 1) + uniform(0, 0.5)  # noqa: S311  (no secret)


@dataclass(slots=True)
class Tries:
    """How often one request may be tried (each one that is made takes one off *left*), and how long."""

    deadline: float = field(default_factory=lambda: monotonic() + RETRY_SECONDS)
    left: int = MAX_TRIES
    has_alternative: bool = False  # another upstream, no worse off, is asked next: this one waits for nothing

    @property
    def pause(self) -> float:
        """Seconds before the next one where nobody was there, and the upstream may be restarting."""
        return restart_pause(MAX_TRIES - self.left)

    @property
    def may_retry(self) -> bool:
        """Whether another one may be made."""
        return self.left > 0 and monotonic() < self.deadline


@dataclass(frozen=True, slots=True)
class SiteBots:
    """What one site offers: the bots its page showed (none before the first visit), and when (Unix seconds).

    With *is_server* it is what a server lists: `site` holds its name and address, and its models are called
    `server/model`, by the names that it has for them.
    """

    site: Site
    bots: tuple[Bot, ...]
    discovered_at: float
    upstream: "Upstream"
    is_server: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """How an upstream is now. *cooldown_until*: Unix seconds. *credentials*: of those that need any and have them.

    *kind*: of site or server, in a word.
    """

    name: str
    trouble: str | None  # why nothing could be answered now, in words
    breaker: BreakerState
    cooldown_until: float | None
    open_streams: int
    queued: int
    credentials: Credentials | None = None
    bots: int = 0
    kind: str | None = None  # as `Upstream.kind`

    @property
    def is_visited(self) -> bool:
        """Whether a browser visits it: a site, and no server."""
        return self.kind != "openai_server"


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings as they reach the client."""

    body: bytes
    usage: Usage


@runtime_checkable
class Embedder(Protocol):
    """An upstream that makes embeddings too."""

    async def embed(self, request: Mapping[str, Any], bot: Bot, caller: str) -> Embedded:
        """Pass *request* on. Raises `Refusal`, and `ServiceError` of a limit of ours."""


class Upstream(Protocol):
    """One site or server that answers."""

    @property
    def name(self) -> str:
        """The origin of the site, or the name of the server."""

    @property
    def kind(self) -> str | None:
        """What answers there: of a site, its chat plugin; None until a visit has seen which one."""

    @property
    def has_tools(self) -> bool:
        """Whether it takes tools, calls, their results and forms of answers itself; if not, it is told of them."""

    @property
    def takes(self) -> frozenset[str]:
        """Parameters of a request that it goes by itself, as `Ask.parameters` has them; `max_tokens` may be one."""

    def rank(self, bot: Bot) -> int:
        """How good the prospects of a turn are now: the lower, the better. Equals keep the order of preference."""

    def health(self) -> Health:
        """How it is now."""

    @property
    def is_known(self) -> bool:
        """Whether it is known what is on offer."""

    async def discover(self) -> None:
        """Wait a little for that. Raises `ServiceError`."""

    def bots(self) -> SiteBots:
        """What is on offer; the same object as long as that is the same."""

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """The name under which copies of *history* are found that this upstream could go on from.

        None where it would not show the model exactly this history. *note*: of the copy in question, if it is there.
        """

    async def answer(self, ask: Ask, bot: Bot, held: Held | None, sink: AnswerSink, tries: Tries) -> End:
        """Answer *ask* into *sink*. Raises `Refusal`, `ServiceError` of a limit of ours, and what *sink* raises."""
