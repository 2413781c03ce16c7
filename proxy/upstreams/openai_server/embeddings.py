"""Reading a server's answer to a request for embeddings."""

import base64
import struct
from collections.abc import Mapping
from typing import Any

import orjson

from proxy.chat.tokens import Usage
from proxy.chat.upstream import EmbeddingsResponse
from shared.plugins.lenient_json import read_object


def read_embeddings(body: bytes, encoding_format: object) -> EmbeddingsResponse | None:
    """The embeddings in *body*, in the form that was asked for; None where it holds none. Slow for many."""
    fields = read_object(body)
    if not fields or fields.get("error"):
        return None
    if encoding_format == "base64":
        body = _in_base64(fields) or body
    usage = fields.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return EmbeddingsResponse(body, Usage(tokens if isinstance(tokens, int) and tokens > 0 else 0, 0))


def _in_base64(listing: Mapping[str, Any]) -> bytes | None:
    """The body with its lists of numbers as the text that was asked for, by which its SDKs go; None: there are none."""
    data = listing.get("data")
    made = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    lists = [each for each in made if isinstance(each.get("embedding"), list)]
    for each in lists:
        try:
            packed = struct.pack(f"<{len(each['embedding'])}f", *each["embedding"])
        except (struct.error, OverflowError):  # no numbers, or none that fit
            return None
        each["embedding"] = base64.b64encode(packed).decode()
    return orjson.dumps(listing) if lists else None
