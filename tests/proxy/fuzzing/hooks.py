"""What schemathesis cannot know from the document: how to make an image, and which refusals no schema foretells."""

import base64
import json
from typing import Any

import schemathesis
from hypothesis import strategies as st

_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()
_JPEG = base64.b64encode(b"\xff\xd8\xff" + b"x" * 40).decode()

# Refusals of well-formed requests, for what is in them all together.
BEYOND_A_SCHEMA = {
    "empty_message",
    "too_many_images",
    "unsupported_parameter",  # tools, or several choices in one conversation
    "mutually_exclusive_parameters",
}

schemathesis.openapi.format("image-url", st.sampled_from([f"data:image/png;base64,{_PNG}", f"data:;base64,{_JPEG}"]))


@schemathesis.check
def valid_data_is_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """A request that fits its schema is no bad request."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in {400, 413, 422}:
        return
    error = json.loads(response.content)["error"] if response.content else {"code": None, "message": "(HEAD)"}
    assert error["code"] in BEYOND_A_SCHEMA, f"valid data was refused: {error['message']}"
