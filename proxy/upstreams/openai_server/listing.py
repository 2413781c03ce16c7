"""Read a server's models from its response to `GET /models`."""

from typing import Any

from shared.models import Bot
from shared.plugins.lenient_json import read_json

MAX_MODELS = 1000
MAX_NAME = 200  # characters
# Names under which it is told how many tokens a model is given.
_LENGTHS = ("context_length", "max_model_len", "context_window", "max_context_length")


class InvalidListing(ValueError):
    """The response lists no models."""


def read_models(body: bytes, known: dict[str, int]) -> tuple[Bot, ...]:
    """The models in a listing, by the names that the server has for them. Raises `InvalidListing`.

    *known*: the number of each model that was ever listed, to which new ones are added.
    """
    listing = read_json(body)
    items = listing.get("data", listing.get("models")) if isinstance(listing, dict) else listing
    if items is None and isinstance(listing, dict) and listing.get("object") == "list":  # Ollama's, without any
        items = []
    if not isinstance(items, list):
        raise InvalidListing("it is no list of models")
    found: dict[str, Bot] = {}
    for item in items[:MAX_MODELS]:
        name = item.get("id") if isinstance(item, dict) else None
        if isinstance(name, str) and name == name.strip() and 0 < len(name) <= MAX_NAME and name.isprintable():
            number = known.setdefault(name, len(known) + 1)
            found.setdefault(name, _bot(number, name, item))
    return tuple(found.values())


def _bot(number: int, name: str, item: dict[str, Any]) -> Bot:
    owner = item.get("owned_by")
    details = item.get("architecture")
    takes = details.get("input_modalities") if isinstance(details, dict) else None
    return Bot(
        id=number,
        name=name,
        provider=owner if isinstance(owner, str) and len(owner) <= MAX_NAME else "",
        images="image" in takes if isinstance(takes, list) else True,  # few tell it; the others refuse what they cannot
        context_length=_context_length(item),
    )


def _context_length(item: dict[str, Any]) -> int:
    meta = item.get("meta")  # llama.cpp's
    lengths = [item.get(name) for name in _LENGTHS] + [meta.get("n_ctx") if isinstance(meta, dict) else None]
    return next((length for length in lengths if type(length) is int and 0 < length < 2**53), 0)
