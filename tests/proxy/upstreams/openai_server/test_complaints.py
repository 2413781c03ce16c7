"""What each complaint of a server teaches, once, and only where the request gives cause for it."""

from dataclasses import replace
from typing import Any

import pytest

from proxy.chat.ask import EFFORT, Ask
from proxy.chat.tools.definitions import Tool, ToolChoice, ToolConfig
from proxy.upstreams.openai_server.complaints import is_of_request, learned_from
from proxy.upstreams.openai_server.options import effort_in, sent_options
from proxy.upstreams.openai_server.quirks import Quirks

LEARNED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Unknown field: stream_options", {}, {"takes_usage_option": False}),
    ("'max_tokens' is not supported. Use 'max_completion_tokens'.", {}, {"limit_field": "max_completion_tokens"}),
    *(
        (text, {"max_tokens": 9000}, {"most_tokens": 8192})
        for text in (
            "max_tokens is too large: 9000. This model supports at most 8192 completion tokens",
            "Range of max_tokens should be [1, 8192]",
            "`max_tokens` must be less than or equal to `8192`",
            "Invalid max_tokens: expected a value <= 8192",
            "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens",
        )
    ),
    *(
        (text, {"parameters": {"temperature": 1, "top_p": 1}}, {"refused": frozenset({"temperature"})})
        for text in (
            "temperature is not supported with this model",
            "Unsupported value: 'temperature'",
            "invalid temperature: only 1 is allowed for this model",
            "`temperature` is deprecated for this model.",
        )
    ),
    (
        "Unknown: safety_identifier",
        {"extra_parameters": {"safety_identifier": "x"}},
        {"refused": {"safety_identifier"}},
    ),
    ("messages.1.reasoning_content: extra_forbidden", {}, {"reasoning_field": ""}),
    ("property 'reasoning_content' is unsupported", {}, {"reasoning_field": ""}),
    ("reasoning_content is missing in assistant tool call message", {}, {"needs_thoughts": True}),
    ("The `reasoning_content` must be passed back", {}, {"needs_thoughts": True}),
    (
        "registry.ollama.ai/library/tiny does not support tools",
        {"tool_config": ToolConfig((Tool("a"),))},
        {"takes_tools": False, "refused": frozenset({"tools"})},
    ),
    ("'stop' is not supported with this model", {"stops": ("x",)}, {"takes_stops": False}),
    ("reasoning is off", {"parameters": {EFFORT: "low"}}, {"refused_efforts": frozenset({"low"})}),
    (
        "it cannot think",
        {"parameters": {"thinking": {"type": "enabled", "budget_tokens": 1}}},
        {"refused_efforts": frozenset({"low"})},
    ),
    ("Function call is missing a thought_signature", {}, {"marks_unsigned_calls": True}),
    (
        "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        {},
        {"takes_any_call_id": False},
    ),
    ("'response_format.type' must be 'json_schema' or 'text'", {}, {"takes_json_object": False}),
    ("Unknown name extra_content", {}, {"takes_signatures": False}),
    ("Unknown name reasoning_details", {}, {"takes_signatures": False}),
    ("System message must be at the beginning.", {}, {"order": "system_first"}),
    ("After the optional system message, roles must alternate", {}, {"order": "alternating"}),
]


@pytest.mark.parametrize(("complaint", "asked", "changes"), LEARNED)
def test_a_complaint_teaches_one_thing_once(complaint: str, asked: dict[str, Any], changes: dict[str, Any]) -> None:
    ask, before = Ask("m", (), **asked), Quirks(refused=frozenset({"user"}))
    if "refused" in changes:
        changes = {**changes, "refused": before.refused | changes["refused"]}
    learned = learned_from(complaint, before, ask)

    assert learned is not None
    assert learned == replace(before, **changes)
    assert learned_from(complaint, learned, ask) is None
    if asked:
        assert learned_from(complaint, before, Ask("m", (), tool_config=ToolConfig())) is None


NOTHING = (
    *("it broke", "temperature must be at most 1", "at most 5 pictures", "too many tokens"),
    *("moonshotai/kimi-k2-thinking cannot read this", "phi-4-reasoning is busy"),  # models' names
)


@pytest.mark.parametrize("text", NOTHING)
def test_other_complaints_teach_nothing(text: str) -> None:
    everything = Ask(
        "m",
        (),
        max_tokens=9,
        stops=("x",),
        parameters={"temperature": 2, **enabled(5000)},
        extra_parameters={"safety_identifier": "x"},
        tool_config=ToolConfig((Tool("a"),)),
    )
    assert learned_from(text, Quirks(), everything) is None


@pytest.mark.parametrize("name", ["temperature", "top_p", "presence_penalty", "frequency_penalty"])
def test_a_model_that_reasons_may_fix_any_of_these(name: str) -> None:
    learned = learned_from(f"'{name}' is not supported", Quirks(), Ask("m", (), parameters={name: 0.5}))

    assert learned == Quirks(refused=frozenset({name}))


@pytest.mark.parametrize(
    ("asked", "known", "most"), [(9, None, 8), (8, None, None), (9, 8, None), (9, 9, 8), (9, 7, None), (8, 9, None)]
)
def test_a_limit_is_learned_where_it_is_below_what_was_sent(asked: int, known: int | None, most: int | None) -> None:
    learned = learned_from("max_tokens: at most 8", Quirks(most_tokens=known), Ask("m", (), max_tokens=asked))

    assert (learned and learned.most_tokens) == most


def test_the_stricter_order_stays() -> None:
    first, alternate, ask = "it must be at the beginning", "roles must alternate", Ask("m", ())
    strict = learned_from(alternate, Quirks(order="system_first"), ask)

    assert strict == Quirks(order="alternating")
    assert learned_from(first, Quirks(order="alternating"), ask) is None


def test_thoughts_go_back_under_the_name_that_they_came_with() -> None:
    assert Quirks().after_thoughts("reasoning").reasoning_field == "reasoning"
    assert Quirks(reasoning_field="").after_thoughts("reasoning_content").reasoning_field == ""
    assert Quirks(reasoning_field="").after_thoughts("reasoning").reasoning_field == "reasoning"
    assert (
        Quirks(reasoning_field="reasoning").after_thoughts("reasoning_content").reasoning_field == "reasoning_content"
    )


def enabled(budget: Any, kind: str = "enabled") -> dict[str, Any]:
    """Anthropic's parameter."""
    return {"thinking": {"type": kind, "budget_tokens": budget}}


@pytest.mark.parametrize(
    ("parameters", "effort"),
    [
        ({}, None),
        *((enabled(budget), "low") for budget in (0, 1024, 2047)),
        *((enabled(budget), "medium") for budget in (2048, 4095)),
        *((enabled(budget), "high") for budget in (4096, 32_000)),
        *(
            (each, None)
            for each in (enabled(None), enabled("many"), enabled(5000, "disabled"), enabled(5000, "adaptive"))
        ),
        ({"thinking": 5}, None),
        *(({EFFORT: given}, told) for given, told in (("low", "low"), ("xhigh", "high"), ("max", "high"))),
        ({**enabled(32_000), EFFORT: "low"}, "low"),
        ({**enabled(None, "adaptive"), EFFORT: "medium"}, "medium"),
        ({**enabled(None, "disabled"), EFFORT: "medium"}, None),
    ],
    ids=str,
)
def test_anthropics_budgets_and_efforts_are_told_as_servers_know_them(
    parameters: dict[str, Any], effort: str | None
) -> None:
    assert effort_in(parameters) == effort


def test_choices_about_tools_are_sent_with_tools_alone() -> None:
    for tools, sent in (((Tool("a"),), {"tool_choice", "parallel_tool_calls"}), ((), set())):
        config = ToolConfig(tools, ToolChoice("none"), parallel=False)
        assert sent_options(Ask("m", (), tool_config=config)).keys() == sent


def test_a_servers_own_failure_may_be_about_the_request() -> None:
    assert is_of_request("tools param requires --jinja flag")
    assert is_of_request("Conversation roles must alternate")
    assert not is_of_request("out of memory")
