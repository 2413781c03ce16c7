"""The interface of every kind of upstream: what it is asked, the events of its answer, its refusals and its health.

An upstream is called with an `Ask` and calls its sink with each event as it comes; it returns how the answer ended.
Nothing here depends on a plugin, a protocol or a socket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from random import uniform
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage
from proxy.chat.tools.definitions import ToolConfig
from shared.conversations import Citation, Message, Note, ToolCall
from shared.models import Bot, Credentials
from shared.parsing import Site

MAX_ATTEMPTS = 3  # for one request, on all upstreams together
RETRY_SECONDS = 60.0  # for all attempts of one request

BreakerState = Literal["closed", "half_open", "open"]
BREAKER_STATES: tuple[BreakerState, ...] = ("closed", "half_open", "open")  # the best first
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended. *stop*: the stop sequence that was met.

    *refusal* is the model's refusal to answer. *usage* is None where the upstream reports none. *note* is what the
    upstream needs to continue from here; None where its own copy does not hold exactly the request and the answer.
    *extras* is what came beside the text, of an answer that is not streamed.
    """

    reason: FinishReason = "stop"
    refusal: str | None = None
    sources: Sequence[Citation] = ()
    usage: Usage | None = None
    note: Note | None = None
    stop: str | None = None
    extras: Extras | None = None

    def of_rewritten_text(self) -> "End":
        """The end of an answer whose JSON was written anew, so that its citations have no positions any more."""
        sources = tuple(replace(source, start=0, end=0) for source in self.sources)
        return replace(self, sources=sources) if sources else self

    def kept(self, answer: Message) -> Message:
        """What is remembered of *answer*, with its sources: a refusal, where that is all that was said."""
        if self.refusal and not answer.text and not answer.calls:
            answer = replace(answer, text=self.refusal)
        return replace(answer, sources=tuple(self.sources)) if self.sources else answer


@dataclass(frozen=True, slots=True)
class UpstreamCopy:
    """An upstream's copy of a conversation: the upstream's note on it, and the number of leading messages that it
    holds."""

    note: Note
    messages: int


class RefusalReason(Enum):
    """Why an upstream refused, which decides what is tried next."""

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
    """An upstream did not answer, or its answer broke off. *error* is for the client, if no other upstream answers.

    *delivered*: the upstream may have added the messages to its history. *has_begun*: some of the answer had come.
    *retry_after*: seconds until it may answer again, if it says so.
    """

    def __init__(
        self,
        error: ServiceError,
        reason: RefusalReason,
        *,
        delivered: bool,
        has_begun: bool,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.reason = reason
        self.delivered = delivered
        self.has_begun = has_begun
        self.retry_after = retry_after

    @property
    def may_move_on(self) -> bool:
        """Whether another upstream may be able to answer."""
        return self.reason not in (RefusalReason.MESSAGE, RefusalReason.COPY)


class StopReading(Exception):
    """Raised by a `Sink` that needs no more of an answer; the upstream stops reading and lets it propagate.

    *stop*: the stop sequence that was met.
    """

    def __init__(self, reason: FinishReason, stop: str | None = None) -> None:
        super().__init__(reason)
        self.end = End(reason, stop=stop)


class Sink(Protocol):
    """Takes the events of an answer. Only `ready` is a coroutine."""

    def text(self, text: str) -> bool:
        """Take a chunk of text. False: await `ready` before the next. Raises `StopReading`."""

    def call(self, call: ToolCall) -> bool:
        """Take a complete tool call, after the text before it. As `text`."""

    def text_with_extras(self, extras: Extras) -> bool:
        """Take a chunk of text with reasoning or log probabilities, which come only if `Ask.wants_extras`. As
        `text`."""

    async def ready(self) -> None:
        """Wait until more can be taken."""


class AnswerSink(Sink, Protocol):
    """The sink that an upstream writes its answer to."""

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """Take note that *count* of the oldest messages, or images, were not sent. Called before the first text."""

    def ignored(self, names: Sequence[str]) -> None:
        """Take note that the parameters *names* were not sent, as the model takes none of them. As `dropped`."""


def restart_pause(attempts: int) -> float:
    """Seconds to wait after *attempts* attempts where nothing listens: about 1, then 2, to bridge a restart.

    The jitter keeps turns that failed together from coming back together.
    """
    return 0.7 * 2.5 ** (attempts - 1) + uniform(0, 0.5)  # noqa: S311  (no secret)


@dataclass(slots=True)
class RetryBudget:
    """The attempts left for one request (*left*, counted down for each), and the deadline for them."""

    deadline: float = field(default_factory=lambda: monotonic() + RETRY_SECONDS)
    left: int = MAX_ATTEMPTS
    has_alternative: bool = False  # another upstream of the same rank is tried next: do not wait for this one

    @property
    def pause(self) -> float:
        """Seconds before the next attempt where nothing listened, and the upstream may be restarting."""
        return restart_pause(MAX_ATTEMPTS - self.left)

    @property
    def may_retry(self) -> bool:
        """Whether another attempt is allowed."""
        return self.left > 0 and monotonic() < self.deadline


@dataclass(frozen=True, slots=True)
class UpstreamBots:
    """The models of one upstream. Of a site: the bots that its page showed (none before the first visit), and when
    (Unix seconds). With *is_server*: what a server lists; `site` holds its name and address, and its models are
    called `server/model`."""

    site: Site
    bots: tuple[Bot, ...]
    discovered_at: float
    upstream: "Upstream"
    is_server: bool = False


class Problem(NamedTuple):
    """Why an upstream cannot answer now, in words; *code*: one of those that errors have."""

    code: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """The state of an upstream. *cooldown_until*: Unix seconds. *credentials*: current ones, where the upstream
    uses any.
    """

    name: str
    problem: Problem | None  # None: it can answer
    breaker: BreakerState
    cooldown_until: float | None
    open_streams: int
    queued: int
    credentials: Credentials | None = None
    bots: int = 0
    kind: str | None = None  # as `Upstream.kind`

    @property
    def is_visited(self) -> bool:
        """Whether a browser visits it: a site, not a server."""
        return self.kind != "openai_server"


@dataclass(frozen=True, slots=True)
class EmbeddingsResponse:
    """Embeddings in the form that the client gets."""

    body: bytes
    usage: Usage


@runtime_checkable
class Embedder(Protocol):
    """An upstream that also makes embeddings."""

    async def embed(self, request: Mapping[str, Any], bot: Bot, caller: str, budget: RetryBudget) -> EmbeddingsResponse:
        """Forward *request*. Raises `Refusal`, and `ServiceError` for one of the proxy's own limits."""


class Upstream(Protocol):
    """A site or server that answers."""

    @property
    def name(self) -> str:
        """Origin of the site, or name of the server."""

    @property
    def kind(self) -> str | None:
        """Kind of the upstream: of a site its chat plugin, None before the first visit."""

    def has_tools(self, bot: Bot) -> bool:
        """Whether *bot* supports tools itself; otherwise they are emulated."""

    def takes(self, bot: Bot, config: ToolConfig | None) -> bool:
        """Whether *bot* takes the tools and the output format of *config* itself, and without one calls and results of
        a history; otherwise they are emulated. What it refuses may show that it does not."""

    @property
    def supported_parameters(self) -> frozenset[str]:
        """The parameters of `Ask.parameters` that it supports; `max_tokens` may be one."""

    def rank(self, bot: Bot) -> int:
        """How likely a turn is to succeed now: the lower, the better. Equals keep the order of preference."""

    def health(self) -> Health:
        """Return its current state."""

    @property
    def is_discovered(self) -> bool:
        """Whether its models are known."""

    async def discover(self) -> None:
        """Wait a little until they are. Raises `ServiceError`."""

    def bots(self) -> UpstreamBots:
        """Return its models; the same object as long as they are the same."""

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """Return the scope in which copies of *history* are stored that this upstream could continue from.

        None where it would not show the model exactly this history. *note*: of the copy in question, if there is
        one.
        """

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """Answer *ask* into *sink*. Raises `Refusal`, `ServiceError` for one of the proxy's own limits, and what
        *sink* raises."""
