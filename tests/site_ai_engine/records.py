"""What the simulated AI Engine site remembers for the tests: requests, and calls to the model."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request as it arrived. *path*: with its query; *body*: of JSON, the value; else None."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What the AI behind the site received in one turn: the provider's path, and the body that went there."""

    bot_id: str
    path: str
    body: dict[str, Any]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and text of all that was sent, the operator's instructions left out."""
        sent = self.body.get("input") or self.body["messages"][1:]
        return [(each["role"], _text(each["content"])) for each in sent]

    @property
    def images(self) -> int:
        """Pictures that came with the newest message."""
        newest = (self.body.get("input") or self.body["messages"])[-1]["content"]
        return sum("image" in part["type"] for part in newest) if isinstance(newest, list) else 0


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content)
