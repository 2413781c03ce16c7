"""What a model's provider said, as the plugin passes it on: whom it speaks of, and what became of a conversation."""

import pytest

from proxy.upstreams.aipkit.refusals import from_stream_error, may_mean_lost
from proxy.upstreams.site.telling import to_error


@pytest.mark.parametrize(
    "text",
    [
        "API Error: Incorrect API key provided: sk-dummy. (Code: invalid_api_key)",
        "API Error: The model `stub-model` does not exist. (Code: model_not_found)",
        "API Error: You exceeded your current quota, please check your plan … (Code: insufficient_quota)",
    ],
)
def test_what_only_the_sites_operator_can_mend_is_not_asked_again(text: str) -> None:
    error = to_error(from_stream_error(text, quota=False, started=True))

    assert (error.status, error.headers["x-should-retry"]) == (502, "false")


@pytest.mark.parametrize(
    ("text", "is_lost"),
    [
        ("API Error: Interaction v1_x not found.", True),
        ("API Error: Requested entity was not found.", True),
        ("API Error: Request contains an invalid argument.", True),
        ("Connection error: no data received from AI.", True),
        ("API Error: The service is currently unavailable.", False),
        ("API Error: Resource has been exhausted (e.g. check quota).", False),
        ("Connection Error: Recv failure: Connection reset by peer", False),
    ],
)
def test_an_interaction_that_google_no_longer_has_is_known_by_its_words(text: str, is_lost: bool) -> None:
    assert may_mean_lost(from_stream_error(text, quota=False, started=True)) is is_lost
