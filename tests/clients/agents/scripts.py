"""Scripts that the simulated model plays for the libraries, and the expected result of each."""

from typing import Any

from tests.site.agent.writing import BEYOND_REPAIR, CALLS

PARIS = ["get_weather", {"city": "Paris"}]
BEIJING = ["get_weather", {"city": "北京"}]
OBJECT = {"city": "Paris", "degrees": 21}
DEFINED = [  # by OpenAI, and run by clients
    ["shell", {"commands": ["ls", "pwd"]}],
    ["local_shell", {"command": ["bash", "-lc", "ls"]}],
    ["apply_patch", {"type": "create_file", "path": "a.txt", "diff": "+二\n"}],
]
NOTE = "Umbrella: no.\nCoat: `maybe`"

_CALL: dict[str, Any] = {"calls": [PARIS]}
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "weather": [_CALL],
    "pair": [{"calls": [PARIS, BEIJING]}],
    "one_of_two": [{"calls": [PARIS, BEIJING]}],
    "retried": [{**_CALL, "form": ["hopeless", "asked"]}],
    "pair_retried": [{"calls": [PARIS, BEIJING], "form": ["last_unfit", "asked"]}],
    "imitated": [{**_CALL, "after": "[result of get_weather]\n99 degrees in Paris\n\nSo it is hot."}],
    "announced": [{**_CALL, "text": "Let me look."}],
    "forced": [{**_CALL, "forced": True}],
    "forced_only": [{**_CALL, "forced": True}],
    "forced_loop": [{**_CALL, "forced": True}],
    "no_choice": [_CALL],
    "stubborn": [{"text": "I would rather talk."}],
    "long": [{"calls": [["get_weather", {"city": "Llanfairpwllgwyngyll " * 20}]]}],
    "note": [{"calls": [["note", {"input": NOTE}]]}],
    "note_only": [{"calls": [["note", {"input": NOTE}]]}],
    "functions": [_CALL],
    "defined": [{"calls": DEFINED}, {"text": "All done."}],
    "weather_tool": [{"calls": [["Weather", OBJECT]]}],
    "object": [{"json": OBJECT}],
    "object_tool": [{"calls": [["json", OBJECT]], "forced": True}],
    "object_retried": [{"json": OBJECT, "form": ["unfit", "with_prose"]}],
    "object_hopeless": [{"json": OBJECT, "form": "hopeless"}],
    "object_call": [{"calls": [["Weather", OBJECT]], "forced": True}],
    "partial_call": [{"calls": [["PartialWeather", OBJECT]], "forced": True}],
    "final_result": [{"calls": [["final_result", OBJECT]], "forced": True}],
    "final_answer": [
        {**_CALL, "forced": True},
        {"calls": [["final_answer", {"answer": "So: 21 degrees in Paris."}]], "forced": True},
    ],
    "weather_then_object": [_CALL, {"json": OBJECT}],
    # Of Anthropic's API, which names other ends and errors.
    "used": [_CALL],
    "used_forced": [{**_CALL, "forced": True}],
    "used_one_of_two": [{"calls": [PARIS, BEIJING]}],
    "used_never": [_CALL],
    "used_stubborn": [{"text": "I would rather talk."}],
    "used_long": [{"calls": [["get_weather", {"city": "Llanfairpwllgwyngyll " * 20}]]}],
    "stopped": [{"text": "One, two, three, four."}],
    "plain": [{"text": "A plain answer: 你好."}],
    **{name: [{"text": "word " * 200}] for name in ("errors", "counted", "listed", "left")},
    "handoff": [{"calls": [["transfer_to_forecaster", {}]]}, _CALL, {"text": "So: 21 degrees in Paris."}],
    **{f"drift-{form}": [{**_CALL, "form": form}] for form in CALLS},
}
_CALLED = ["tool_calls", [PARIS]]
_USED = ["tool_use", [PARIS]]
VALUES: dict[str, Any] = {
    "weather": "So: 21 degrees in Paris.",
    "pair": "So: 21 degrees in Paris; 7 degrees in 北京.",
    "pair_retried": "So: 21 degrees in Paris; 7 degrees in 北京.",
    "one_of_two": _CALLED,
    "retried": "So: 21 degrees in Paris.",
    "imitated": "So: 21 degrees in Paris.",
    "announced": ["Let me look.", [PARIS]],
    "forced": _CALLED,
    "forced_only": [PARIS],
    "forced_loop": "So: 21 degrees in Paris.",
    "no_choice": ["stop", "I was not to call get_weather: tool choice: none."],
    "stubborn": [502, "invalid_tool_call"],
    "long": ["length", []],
    "drift": {form: _CALLED for form in CALLS if form not in BEYOND_REPAIR},
    "note": ["tool_calls", [["note", NOTE]]],
    "note_only": [["note", NOTE]],
    "defined": [["ls", "pwd"], ["bash", "-lc", "ls"], ["a.txt", "+二\n"], "All done."],
    "functions": ["function_call", "So: 21 degrees in Paris."],
    "weather_tool": [OBJECT, OBJECT],
    "object": OBJECT,
    "object_tool": OBJECT,
    "object_retried": OBJECT,
    "object_hopeless": [502, "invalid_json"],
    "object_call": OBJECT,
    "partial_call": OBJECT,
    "final_result": OBJECT,
    "final_answer": "So: 21 degrees in Paris.",
    "weather_then_object": OBJECT,
    "handoff": "So: 21 degrees in Paris.",
    "used": _USED,
    "used_forced": _USED,
    "used_one_of_two": _USED,
    "used_never": ["end_turn", "I was not to call get_weather: tool choice: none."],
    "used_stubborn": [500, "api_error"],
    "used_long": ["max_tokens", []],
    "stopped": ["stop_sequence", "three", "One, two, "],
    "plain": ["end_turn", "A plain answer: 你好."],
    "errors": [[400, "invalid_request_error"], [401, "authentication_error"], [404, "not_found_error"]],
    "counted": "some tokens",
    "listed": ["model", "gpt-4o-mini", "claude-sonnet-b"],
    "left": "left",
}
