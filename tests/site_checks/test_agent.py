"""The model that calls tools: what it reads in the text, and what it writes."""

import json
from typing import Any

import pytest

from tests.site import SimulatedSite
from tests.site.agent.compliant import comply
from tests.site.agent.scripts import play
from tests.site.agent.writing import ANSWERS, CALLS
from tests.site.process import running_site
from tests.site.records import Message
from tests.site_checks.test_model import deltas
from tests.site_checks.visitor import Visitor

TOOLS = """\
Words around the markers.
```tools
{"name":"get_weather","description":"Weather.","parameters":{"type":"object"}}
{"name":"get_time","description":"","parameters":{"type":"object"}}
```"""
ASK = "[[script:weather]] How is it in Paris?"
STEP = {"calls": [["get_weather", {"city": "Paris"}]]}
CALL = '```tool_calls\n{"name":"get_weather","arguments":{"city":"Paris"}}\n```'
WANTED = json.dumps(
    {
        "type": "object",
        "properties": {
            "n": {"$ref": "#/$defs/n"},
            "w": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "k": {"enum": ["y", "z"]},
            "l": {"type": "array", "items": {"type": "number"}},
            "optional": {"type": "string"},
        },
        "required": ["n", "w", "k", "l"],
        "$defs": {"n": {"type": "integer"}},
    }
)
SCHEMA = '```json_schema\n{"type":"object"}\n```'


def message(role: str, text: str) -> Message:
    """One message."""
    return {"role": role, "content": text}


def replayed(*messages: tuple[str, str], number: str = "") -> list[Message]:
    """*messages* in one text, as a conversation that the site does not hold is told."""
    entries = [f"----- {role}{number} -----\n{text}" for role, text in messages]
    return [message("user", "\n\n".join([f'Each after a line such as "----- user{number} -----". Answer.', *entries]))]


def test_a_declared_tool_is_called_and_its_result_told() -> None:
    scripts = {"weather": [STEP]}
    history = [message("user", f"{TOOLS}\n{ASK}")]

    assert play(history, scripts) == CALL
    history += [message("assistant", CALL), message("user", "[result of get_weather]\n21 degrees\nand sunny\n")]
    assert play(history, scripts) == "So: 21 degrees\nand sunny."


@pytest.mark.parametrize("number", ["", " (2)"])
def test_a_replayed_conversation_is_the_same_one(number: str) -> None:
    results = "[result of get_weather]\n21\n\n[error of get_time]\nno clock"
    history = replayed(("system", TOOLS), ("user", ASK), ("assistant", CALL), ("user", results), number=number)

    assert play(history[:1], {"weather": [STEP]}) == "So: 21; error: no clock."
    assert play(replayed(("system", TOOLS), ("user", ASK), number=number), {"weather": [STEP]}) == CALL


def test_headers_within_a_replayed_text_are_part_of_it() -> None:
    history = replayed(("system", TOOLS), ("user", f"{ASK}\n\n----- assistant -----\nx"), number=" (2)")

    assert play(history, {"weather": [STEP]}) == CALL


def test_an_undeclared_tool_is_not_called() -> None:
    scripts = {"weather": [STEP], "object": [{"json": {"a": 1}}]}

    assert play([message("user", ASK)], scripts) == "I know no tool get_weather, only: none."
    chosen = play([message("user", f"{TOOLS}\ntool choice: none\n{ASK}")], scripts)
    assert chosen == "I was not to call get_weather: tool choice: none."
    assert play([message("user", "[[script:object]]")], scripts) == "Nobody asked me for JSON."
    assert play([message("user", "[[script:other]]")], scripts) == "There is no script 'other'."
    assert play([message("user", "hello")], scripts) is None


@pytest.mark.parametrize(
    ("choice", "called"), [("required", True), ("get_weather", True), ("auto", False), ("get_time", False)]
)
def test_a_call_may_wait_until_it_is_forced(choice: str, called: bool) -> None:
    history = [message("user", f"{TOOLS}\ntool choice: {choice}\n{ASK}")]

    assert (play(history, {"weather": [{**STEP, "forced": True}]}) == CALL) is called


@pytest.mark.parametrize("instruction", [SCHEMA, "answer format: json_object"])
def test_json_is_given_where_it_is_asked_for(instruction: str) -> None:
    history = replayed(("system", instruction), ("user", "[[script:object]]"))

    assert play(history, {"object": [{"json": {"a": 1}}]}) == '```json\n{"a":1}\n```'


def test_the_newest_tool_definitions_apply() -> None:
    history = [
        message("user", f"{TOOLS}\ntool choice: none\nhello"),
        message("assistant", "hi"),
        message("user", f"{TOOLS}\n{ASK}"),
    ]

    assert play(history, {"weather": [STEP]}) == CALL


def test_each_try_has_its_form_and_does_not_count_as_a_step() -> None:
    scripts = {"weather": [{**STEP, "form": ["hopeless", "asked"]}, {"text": "done"}]}
    history = [message("user", f"{TOOLS}\n{ASK}")]
    first = play(history, scripts)
    assert first is not None
    assert first.startswith('```tool_calls\n{"name":"get_weather"')
    history += [message("assistant", first), message("user", "Once more: a fence opened by ```tool_calls")]

    assert play(history, scripts) == CALL
    history += [message("assistant", CALL), message("user", "[result of get_weather]\n21")]
    assert play(history, scripts) == "done"


def test_a_new_script_begins_at_its_first_step() -> None:
    history = [
        message("user", f"{TOOLS}\n{ASK}"),
        message("assistant", CALL),
        message("user", "[result of get_weather]\n21"),
    ]

    assert play([*history, message("assistant", "So: 21."), message("user", ASK)], {"weather": [STEP]}) == CALL


def test_text_stands_before_and_after_the_call() -> None:
    step = {**STEP, "text": "Let me look.", "after": "[result of get_weather]\n99"}

    answer = play([message("user", f"{TOOLS}\n{ASK}")], {"weather": [step]})
    assert answer == f"Let me look.\n\n{CALL}\n\n[result of get_weather]\n99"


@pytest.mark.parametrize("form", CALLS)
def test_every_form_names_the_tool(form: str) -> None:
    calls: list[tuple[str, Any]] = [("get_weather", {"city": "Paris", "days": 2, "now": True})]

    assert "get_weather" in CALLS[form](calls)
    assert (CALLS[form](calls) == CALLS["asked"](calls)) is (form == "asked")


@pytest.mark.parametrize("form", ["asked", "indented"])
def test_an_answer_by_schema_is_json_in_a_fence(form: str) -> None:
    value = {"city": "北京", "degrees": 21}

    assert json.loads(ANSWERS[form](value).removeprefix("```json\n").removesuffix("```")) == value


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (f"{TOOLS}\nHello!", '```tool_calls\n{"name":"get_weather","arguments":{}}\n```'),
        (f"{TOOLS}\nget_time please", '```tool_calls\n{"name":"get_time","arguments":{}}\n```'),
        (f"{TOOLS}\ntool choice: get_time", '```tool_calls\n{"name":"get_time","arguments":{}}\n```'),
        (f"{TOOLS}\ntool choice: none\nHello!", None),
        ('answer format: json_object\nGive "a" and "b".', '```json\n{"a":"A a.","b":"A b."}\n```'),
        ("Hello!", None),
    ],
)
def test_a_willing_model_does_whatever_it_may(prompt: str, answer: str | None) -> None:
    instructions, _, text = prompt.rpartition("\n")

    assert comply(replayed(("system", instructions), ("user", text))) == answer


def test_a_willing_model_makes_up_what_fits_a_schema() -> None:
    history = replayed(("system", f"```json_schema\n{WANTED}\n```"), ("user", "Take 7 of 'x'."))

    assert comply(history) == '```json\n{"n":7,"w":"x","k":"y","l":[7]}\n```'


def test_a_willing_model_is_content_with_a_result() -> None:
    history = replayed(("system", TOOLS), ("user", "Hello!"), ("assistant", CALL), ("user", "[result of get_weather]"))

    assert comply(history) is None


async def test_the_site_plays_scripts_that_it_was_given() -> None:
    async with SimulatedSite() as site:
        site.behaviour.update({"scripts": {"weather": [STEP]}})
        visitor = Visitor(site)
        called = await visitor.send(f"{TOOLS}\n{ASK}")
        reply = await visitor.send("[result of get_weather]\n21 degrees")

    assert "".join(deltas(called)) == CALL
    assert "".join(deltas(reply)) == "So: 21 degrees."


async def test_the_control_address_takes_scripts() -> None:
    async with running_site() as site:
        state = await site.control(scripts={"weather": [STEP]})

        assert state["behaviour"]["scripts"] == {"weather": [STEP]}
