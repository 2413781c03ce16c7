"""Values that clients of the Responses and Messages APIs send back unread, such as `encrypted_content`.

They are base64 of JSON. Nothing in them is secret or trusted: what a client may not change, a server signed itself.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from proxy.api.tools import text_or_empty
from proxy.chat.extras import signed
from shared.conversations import ToolCall

_SUMMARY = "summary_of_conversation"
_THOUGHT = "thought"


def encode_signature(call: ToolCall) -> str:
    """What a server signed of *call*."""
    return b64encode(call.signed.encode()).decode()


def decode_signature(value: Any) -> str:
    """What `encode_signature` encoded; empty for anything else."""
    return signed(_decode(value))


def encode_summary(text: str) -> str:
    """A conversation's summary."""
    return _encode({_SUMMARY: text})


def decode_summary(value: Any) -> str:
    """What `encode_summary` encoded; empty for anything else."""
    return text_or_empty(_decode(value).get(_SUMMARY))


def encode_thought(text: str) -> str:
    """What a model thought."""
    return _encode({_THOUGHT: text})


def decode_thought(value: Any) -> str:
    """What `encode_thought` encoded; empty for anything else."""
    return text_or_empty(_decode(value).get(_THOUGHT))


def _encode(fields: Mapping[str, str]) -> str:
    return b64encode(orjson.dumps(fields)).decode()


def _decode(value: Any) -> Mapping[str, Any]:
    """The fields in *value*; none where it is no base64 of a JSON object."""
    try:
        decoded = orjson.loads(b64decode(text_or_empty(value), validate=True))
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
