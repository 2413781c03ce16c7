"""Reading a server's answer to a request for embeddings."""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from proxy.chat.tokens import Usage
from proxy.chat.upstream import EmbeddingsResponse
from shared.plugins.lenient_json import read_object


def read_embeddings(body: bytes, request: Mapping[str, Any]) -> EmbeddingsResponse | None:
    """The embeddings in *body*, in the form that was asked for; None where it holds none. Slow for many.

    What OpenAI always tells and some servers leave out is added: clients with strict types fail without it.
    """
    listing = read_object(body)
    if not listing or listing.get("error"):
        return None
    data = listing.get("data")
    made = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    usage = listing["usage"] = dict(given) if isinstance(given := listing.get("usage"), dict) else {}
    lacked = [
        _fill(listing, object="list", model=request.get("model")),
        _fill(usage, prompt_tokens=usage.get("total_tokens") or 0, total_tokens=usage.get("prompt_tokens") or 0),
        *(_fill(each, object="embedding", index=index) for index, each in enumerate(made)),
    ]
    if (request.get("encoding_format") == "base64" and _to_base64(made)) or any(lacked):
        body = orjson.dumps(listing)
    tokens = usage["prompt_tokens"]
    return EmbeddingsResponse(body, Usage(tokens if isinstance(tokens, int) and tokens > 0 else 0, 0))


def _fill(fields: dict[str, Any], **defaults: Any) -> bool:
    """Give *fields* those of *defaults* that it lacks; return whether it lacked any."""
    lacking = {name: value for name, value in defaults.items() if fields.get(name) is None}
    fields |= lacking
    return bool(lacking)


def _to_base64(made: Sequence[dict[str, Any]]) -> bool:
    """Turn lists of numbers into the text that was asked for, by which its SDKs go; return whether there were any."""
    lists = [each for each in made if isinstance(each.get("embedding"), list)]
    try:
        packed = [struct.pack(f"<{len(each['embedding'])}f", *each["embedding"]) for each in lists]
    except (struct.error, OverflowError):  # no numbers, or none that fit
        return False
    for each, numbers in zip(lists, packed, strict=True):
        each["embedding"] = base64.b64encode(numbers).decode()
    return bool(lists)
