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
    "conversation_full",
    "too_many_images",
    "unsupported_content_part",  # sound or a file, where only sites answer
    "unsupported_parameter",  # tools, or several choices in one conversation
    "mutually_exclusive_parameters",
    "missing_required_parameter",  # tools, for a choice among them
    "unknown_tool",
    "duplicate_tool_name",
    "invalid_function_parameters",  # an object that is no JSON schema
    "invalid_json_schema",
}
# The model's own failures: what it was asked for may be beyond any model, such as JSON by the schema `false`.
OF_THE_MODEL = {"invalid_tool_call", "invalid_json"}

schemathesis.openapi.format("image-url", st.sampled_from([f"data:image/png;base64,{_PNG}", f"data:;base64,{_JPEG}"]))
schemathesis.openapi.format("image-base64", st.sampled_from([_PNG, _JPEG]))
schemathesis.openapi.format("key-name", st.from_regex(r"[a-j][a-z0-9 _.@+-]{0,40}[a-z0-9]", fullmatch=True))
schemathesis.openapi.format("tool-name", st.from_regex(r"[a-z][a-zA-Z0-9_.:/-]{0,40}", fullmatch=True))
schemathesis.openapi.format("time-span", st.sampled_from(["30d", "12h", "1h30m", "90"]))
schemathesis.openapi.format("time-since", st.sampled_from(["30d", "12h", "1d12h", "1700000000"]))
schemathesis.openapi.format("time-until", st.sampled_from(["1h", "10m30s", "90s"]))
schemathesis.openapi.format("usage-by", st.sampled_from(["", "day", "hour,key", "model site", "day,key,model,site"]))


@schemathesis.check
def valid_data_is_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """A request that matches its schema is not a bad request."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in {400, 413, 422}:
        return
    body: dict[str, Any] = json.loads(response.content) if response.content else {"error": {"message": "(HEAD)"}}
    error = body["error"]
    code = error.get("code") or error.get("details", {}).get("error_code")  # of either API
    assert code in BEYOND_A_SCHEMA, f"valid data was refused: {error['message']}"


@schemathesis.check
def nothing_but_the_model_fails(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Neither the proxy nor the site fails."""
    if response.status_code >= 500:
        error = json.loads(response.content)["error"]
        code = error.get("code") or error.get("details", {}).get("error_code")
        status = 500 if case.operation.path == "/v1/messages" else 502  # Anthropic's API has no other
        assert (response.status_code, code in OF_THE_MODEL) == (status, True), f"it failed: {error['message']}"
