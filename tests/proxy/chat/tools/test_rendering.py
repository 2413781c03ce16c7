"""A history with calls and results, as a model is told it that takes nothing but text."""

from proxy.chat.tools.definitions import Offer, Tool, Wanted
from proxy.chat.tools.rendering import as_text, instructions
from shared.conversations import Call, Message, Result

CALLS = (Call(id="1", name="look", arguments="{}", namespace="a"), Call(id="2", name="list_files", arguments="{}"))
FENCE = '```tool_calls\n{"name":"look","arguments":{}}\n{"name":"list_files","arguments":{}}\n```'
OFFER = Offer((Tool("look", namespace="a"), Tool("list_files")))


def told(*messages: Message) -> list[str]:
    """The texts that the model is told."""
    return [message.text for message in as_text(messages, OFFER)]


def result(call_id: str, name: str = "", *, failed: bool = False) -> Message:
    """A result of a tool."""
    return Message(role="user", text="21", result=Result(call_id=call_id, name=name, failed=failed))


def test_results_are_told_by_the_names_of_their_calls() -> None:
    asked = Message(role="assistant", text=" ", calls=CALLS)

    assert told(asked, result("1"), result("2", failed=True), result("3"), result("1", "other")) == [
        FENCE,
        "[result of look]\n21",
        "[error of list_files]\n21",
        "[result of tool]\n21",
        "[result of other]\n21",
    ]


def test_pictures_stay_with_their_result_and_all_else_stays_as_it_is() -> None:
    plain = Message(role="user", text="Hello", id="msg_1")
    pictured = Message(role="user", text="a picture", images=("0" * 64,), result=Result(name="look"))

    assert as_text([plain, pictured], None) == (
        plain,
        Message(role="user", text="[result of look]\na picture", images=("0" * 64,)),
    )


def test_an_answer_by_schema_is_told_what_it_is_for() -> None:
    text = instructions(Offer(wanted=Wanted({"type": "object"}, "weather", "The weather of a city.")))

    assert text.startswith("It is for: The weather of a city.\n")
