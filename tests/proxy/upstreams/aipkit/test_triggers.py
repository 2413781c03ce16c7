"""What an operator's triggers do to a turn (PROTOCOL 5): a reply before the model's, or a form in its place."""

import pytest

from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite


@pytest.mark.parametrize("model", ["gpt-4o-mini-helper", "gemini-flash", "claude-sonnet-b"])
async def test_what_a_trigger_says_stands_apart_from_the_models_answer(
    proxy: RunningProxy, site: SimulatedSite, model: str
) -> None:
    site.behaviour.trigger_reply = "Welcome to our shop!"

    answer = await proxy.chat("[[say:Hello]]", model=model)

    assert (answer.status, answer.text) == (200, "Welcome to our shop!\n\nHello")


async def test_a_form_in_place_of_an_answer_is_reported_and_not_asked_for_again(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.trigger_form = True

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code, answer.headers["x-should-retry"]) == (502, "upstream_error", "false")
    assert "form" in answer.body["error"]["message"]
    assert len(site.model_calls) == 1
