"""What a `warning` event holds: the reasons why an answer is not what was asked for, and often the answer's last text.

The plugin puts all that came in one read from the model into one event (PROTOCOL 5). So a warning may follow text in
its own event, and one refusal may come in several pieces.
"""

import re
from typing import NamedTuple

_LABEL = r" ?\((?:Refusal|Incomplete|Warning): "
# A reason in brackets; in other languages it is known by what stands in them, where that is a code.
_REASON = (
    rf"(?:{_LABEL}(?:(?!{_LABEL}).)*?\)| ?\([^():\n]{{1,40}}: [a-z]+(?:_[a-z]+)+\)|\s*Claude stopped because [^.]*\.)"
)
_REASONS = re.compile(rf"({_REASON}+)\s*\Z", re.DOTALL)
_REFUSED = re.compile(rf" ?\(Refusal: ((?:(?!{_LABEL}).)*)\)", re.DOTALL)
_LIMITS = ("max_output_tokens", "max_tokens", "maximum output token")


class Warned(NamedTuple):
    """A warning: the answer's text in it, and the reasons behind that."""

    text: str
    reasons: str


def read_warning(told: str) -> Warned:
    """Where no reason is recognised (a site in another language), all of it is text, as in the plugin's own window."""
    found = _REASONS.search(told)
    return Warned(told[: found.start()], found[1]) if found else Warned(told, "")


def refusal_in(reasons: str) -> str | None:
    """What the model said instead of an answer; None where it did not refuse."""
    pieces: list[str] = _REFUSED.findall(reasons)
    return "".join(pieces) if pieces else None


def tells_of_a_limit(reasons: str) -> bool:
    """Whether the answer was cut because it became too long."""
    return any(limit in reasons for limit in _LIMITS)
