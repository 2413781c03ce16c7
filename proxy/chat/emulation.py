"""Tools and forms of answers in front of an upstream that takes and gives nothing but text: one answer of its, read."""

import re
from collections.abc import Callable
from secrets import choice
from string import ascii_letters, digits

from proxy.chat.cutting import Cutter
from proxy.chat.errors import ServiceError
from proxy.chat.history import spelled
from proxy.chat.tools.answers import read_answer
from proxy.chat.tools.coercion import Unfit
from proxy.chat.tools.definitions import Offer
from proxy.chat.tools.reader import Event, Reader, Verdict
from proxy.chat.upstream import Enough
from shared.conversations import Call, Message

_ID_CHARACTERS = ascii_letters + digits
# What may stand after calls and closes them: the rest of a fence, tags, and marks of the end.
_CLOSING = re.compile(r"(?:[\s`}\]]|<[/|｜]{0,2}[\w▁:.|｜-]{0,40}>?)*+")
_MAX_CLOSING = 200  # characters


class Emulation:
    """Takes the text of one answer, and gives what the client is to see of it: text, whole calls, bare JSON.

    Text is held back where it could turn out to be wrong: where a call or JSON is a must, and in a second try, whose
    text nobody asked for.
    """

    def __init__(
        self,
        offer: Offer,
        show: Callable[[str], bool],
        give: Callable[[Call], bool],
        *,
        max_tokens: int | None,
        earlier: Message | None,
    ) -> None:
        """*earlier*: what the tries before have brought, where there were any. Its calls are not given again."""
        self._offer = offer
        self._show, self._give = show, give
        self._reader = Reader(offer, new_call_id)
        self._limit = Cutter((), max_tokens) if max_tokens else None
        self._earlier = {(call.name, spelled(call)) for call in earlier.calls} if earlier else set()
        self._is_below_text = bool(earlier and earlier.text)
        self._holds = earlier is not None or offer.wanted is not None or offer.choice.mode == "required"
        self._held: list[str] = []
        self._raw: list[str] = []
        self._after = ""  # what came after the calls

    @property
    def raw(self) -> str:
        """All of its text, as the upstream gave it."""
        return "".join(self._raw)

    def is_over(self) -> bool:
        """Whether nothing that comes after is wanted: its calls are whole, or the model made up their results."""
        return self._reader.is_done

    def feed(self, text: str) -> bool:
        """As `Sink.text`."""
        self._raw.append(text)
        if self._limit is not None:
            text = self._limit.feed(text)
        if self.is_over():
            self._after += text
            if len(self._after) > _MAX_CLOSING or not _CLOSING.fullmatch(self._after):
                raise Enough("tool_calls")  # the model makes up what comes after its calls
            return True
        wants_more = self._take(self._reader.feed(text))
        if self.is_over():
            self._after = text[max(text.rfind("}"), text.rfind("`"), text.rfind(">")) + 1 :]
        if self.is_over() and not self._reader.has_calls:
            raise Enough("stop")
        if self._limit is not None and self._limit.reason:
            raise Enough("length")
        return wants_more

    def end(self, *, cut: bool) -> Verdict:
        """Give what is left once the answer has ended; *cut*: before the model was done."""
        self._take(self._reader.end(cut=cut))
        verdict = self._reader.verdict
        if verdict.trouble or verdict.has_half or self._reader.has_calls:
            return verdict
        if self._offer.wanted is None:
            text = "".join(self._held)
            if not self._earlier:
                self._show(f"\n\n{text}" if self._is_below_text and text else text)
            return verdict
        try:
            text, mended = read_answer("".join(self._held), self._offer.wanted, cut=cut)
        except Unfit as error:
            return Verdict(str(error), of_json=True)
        self._show(text)
        return Verdict(mended=mended, of_json=True)

    def _take(self, events: list[Event]) -> bool:
        wants_more = True
        for event in events:
            if isinstance(event, Call):
                if not self._earlier or (event.name, spelled(event)) not in self._earlier:
                    wants_more = self._give(event)
            elif self._holds:
                self._held.append(event)
            else:
                wants_more = self._show(event)
        return wants_more


def new_call_id() -> str:
    """A name for a call, in the form that clients of OpenAI's API know."""
    return "call_" + "".join(choice(_ID_CHARACTERS) for _ in range(24))


def failed(*, of_json: bool) -> ServiceError:
    """The error where JSON, or else a call, stayed wrong after all tries. It quotes nothing of what the model wrote.
    Clients are not to repeat of themselves what was repeated as often as the operator wants."""
    what = "valid JSON in the form that was asked for" if of_json else "valid call of a tool"
    return ServiceError(
        502,
        f"The model gave no {what}. Models differ in how well they do it: try again, or another one.",
        type="server_error",
        code="invalid_json" if of_json else "invalid_tool_call",
        should_retry=False,
    )
