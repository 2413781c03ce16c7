"""Answers as models give them: what has to be read as a call, and what has to stay text.

All are made up. Each names the dialect or the fault that it stands for.
"""

import json
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """An answer, the text in it that a client is to see, and the calls with their arguments."""

    label: str
    answer: str
    text: str
    calls: tuple[tuple[str, Any], ...] = ()
    mended: bool = False


def _calls(*calls: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
    return calls


def _fence(*lines: str, word: str = "tool_calls") -> str:
    return "\n".join([f"```{word}", *lines, "```"])


def _line(name: str, **arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


PARIS = _calls(("get_weather", {"city": "Paris"}))
BEIJING = _calls(("get_weather", {"city": "北京"}))
BOTH = PARIS + BEIJING
_PARIS = _line("get_weather", city="Paris")
_BEIJING = _line("get_weather", city="北京")
_CITY = '<parameter name="city">Paris</parameter>'
_MARKDOWN = "# Title\n\n```python\nprint('a < b')\n```\nEnd\n"

ASKED_FORMAT = [
    Sample("alone", _fence(_PARIS), "", PARIS),
    Sample("capitals", _fence(_PARIS, word="JSON"), "", PARIS),
    Sample("after text", "Let me look.\n\n" + _fence(_PARIS), "Let me look.", PARIS),
    Sample("Chinese", "我来查一下。\n\n" + _fence(_BEIJING), "我来查一下。", BEIJING),
    Sample("parallel", _fence(_PARIS, _BEIJING), "", BOTH),
    Sample("text afterwards", _fence(_PARIS) + "\nIt is sunny there.", "", PARIS),
    Sample("a made-up result", _fence(_PARIS) + "\n[result of get_weather]\nsunny\n", "", PARIS),
    Sample("a made-up result within", f"```tool_calls\n{_PARIS}\n[result of get_weather]\nsunny", "", PARIS),
    Sample("never closed", f"```tool_calls\n{_PARIS}", "", PARIS),
    Sample("no line feed", f"Sure.```tool_calls\n{_PARIS}\n```", "Sure.", PARIS),
    Sample("on one line", f"```tool_calls {_PARIS}```", "", PARIS),
    Sample("indented a little", f"  ```tool_calls\n  {_PARIS}\n  ```", "", PARIS),
    Sample("CRLF", f"Look:\r\n```tool_calls\r\n{_PARIS}\r\n```\r\n", "Look:", PARIS),
    Sample("a list", _fence(f"[{_PARIS},", f" {_BEIJING}]"), "", BOTH),
    Sample("commas between", _fence(f"{_PARIS},", _BEIJING), "", BOTH),
    Sample("several lines", _fence(json.dumps(json.loads(_PARIS), indent=2)), "", PARIS),
    Sample("after a code block", f"```sh\nls\n```\n{_fence(_PARIS)}", "```sh\nls\n```\n", PARIS),
    Sample("without arguments", _fence('{"name":"list_files"}'), "", _calls(("list_files", {}))),
    Sample("arguments beside the name", _fence('{"name":"get_weather","city":"Paris"}'), "", PARIS),
    Sample("a reason beside the name", _fence('{"tool":"list_files","thought":"first a look"}'), "",
           _calls(("list_files", {}))),
    Sample("null arguments", _fence('{"name":"list_files","arguments":null}'), "", _calls(("list_files", {}))),
    Sample("a fence in a string", _fence(_line("write_file", path="a.md", content=_MARKDOWN)), "",
           _calls(("write_file", {"path": "a.md", "content": _MARKDOWN}))),
    Sample("a custom tool", _fence(_line("apply_patch", input="*** Begin\n+x\n")), "",
           _calls(("apply_patch", "*** Begin\n+x\n"))),
    Sample("a custom tool, plainly", _fence('{"name":"apply_patch","arguments":"*** Begin"}'), "",
           _calls(("apply_patch", "*** Begin"))),
    Sample("a prefix", _fence('{"name":"functions.get_weather","arguments":{"city":"Paris"}}'), "", PARIS),
    Sample("a tag that is none",
           "The tag <tool_call> is mine.\n" + _fence(_PARIS), "The tag <tool_call> is mine.", PARIS),
    Sample("after struck text", f"~~gone~~ and ~~~\n~~so~~\n{_fence(_PARIS)}", "~~gone~~ and ~~~\n~~so~~", PARIS),
    Sample("after code in a line", f"Run `ls` or ```ls -l``` or ````a```b````\n{_fence(_PARIS)}",
           "Run `ls` or ```ls -l``` or ````a```b````", PARIS),
    Sample("text in the fence", _fence(_PARIS, "and also", _BEIJING), "", BOTH),
]  # fmt: skip

BROKEN_JSON = [
    Sample("trailing comma", _fence('{"name":"get_weather","arguments":{"city":"Paris",},}'), "", PARIS, mended=True),
    Sample("single quotes", _fence("{'name': 'get_weather', 'arguments': {'city': 'Paris'}}"), "", PARIS, mended=True),
    Sample("Python's words", _fence('{"name":"get_weather","arguments":{"city":"Paris","days":None}}'), "", PARIS,
           mended=True),
    Sample("comment", _fence('{"name":"get_weather", // as asked', '"arguments":{"city":"Paris"}}'), "", PARIS,
           mended=True),
    Sample("block comment", _fence('{"name":"get_weather", /* as asked */ "arguments":{"city":"Paris"}}'), "", PARIS,
           mended=True),
    Sample("hash comment", _fence("{'name':'get_weather', # it's Paris", "'arguments':{'city':'Paris'}}"), "", PARIS,
           mended=True),
    Sample("raw line feeds", _fence('{"name":"write_file","arguments":{"path":"a","content":"x\n\ty\n"}}'), "",
           _calls(("write_file", {"path": "a", "content": "x\n\ty\n"})), mended=True),
    Sample("a raw fence in a string",
           _fence('{"name":"write_file","arguments":{"path":"a","content":"# A\n```py\nx = 1\n```\nEnd"}}'), "",
           _calls(("write_file", {"path": "a", "content": "# A\n```py\nx = 1\n```\nEnd"})), mended=True),
    Sample("missing brackets", _fence('{"name":"get_weather","arguments":{"city":"Paris"'), "", PARIS, mended=True),
    Sample("missing bracket, no fence end",
           '```tool_calls\n{"name":"get_weather","arguments":{"city":"Paris"}', "", PARIS,
           mended=True),
    Sample("missing bracket, then a made-up result", f"```tool_calls\n{_PARIS[:-1]}\n[result of get_weather]\nsunny",
           "", PARIS, mended=True),
    Sample("a bracket too many", _fence('{"name":"get_weather","arguments":{"city":"Paris"}}}'), "", PARIS),
    Sample("keys without quotes", _fence('{name: "get_weather", arguments: {city: "Paris"}}'), "", PARIS, mended=True),
    Sample("typographic quotes",
           _fence("{“name”：“get_weather”，“arguments”：{“city”：“北京”}}"), "", BEIJING, mended=True),
    Sample("quotes in a string", _fence('{"name":"write_file","arguments":{"path":"a","content":"say "hi" now"}}'), "",
           _calls(("write_file", {"path": "a", "content": 'say "hi" now'})), mended=True),
    Sample("unknown escapes", _fence(r'{"name":"write_file","arguments":{"path":"C:\dir","content":"\d+\.x"}}'), "",
           _calls(("write_file", {"path": r"C:\dir", "content": r"\d+\.x"})), mended=True),
    Sample("triple quotes", _fence('{"name":"write_file","arguments":{"path":"a","content":"""x = "1"\ny"""}}'), "",
           _calls(("write_file", {"path": "a", "content": 'x = "1"\ny'})), mended=True),
    Sample("arguments as JSON text", _fence(r'{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}'), "", PARIS,
           mended=True),
    Sample("a number in a string", _fence('{"name":"get_weather","arguments":{"city":"Paris","days":"3"}}'), "",
           _calls(("get_weather", {"city": "Paris", "days": 3})), mended=True),
    Sample("one value for a list", _fence('{"name":"get_weather","arguments":{"city":"北京","tags":"热"}}'), "",
           _calls(("get_weather", {"city": "北京", "tags": ["热"]})), mended=True),
    Sample("another case", _fence('{"name":"get_weather","arguments":{"city":"Paris","unit":"Celsius"}}'), "",
           _calls(("get_weather", {"city": "Paris", "unit": "celsius"})), mended=True),
    Sample("null for an optional choice", _fence('{"name":"get_weather","arguments":{"city":"Paris","unit":null}}'), "",
           PARIS, mended=True),
    Sample("null for an optional one",
           _fence('{"name":"get_weather","arguments":{"city":"Paris","days":null}}'), "", PARIS,
           mended=True),
]  # fmt: skip

DIALECTS = [
    Sample("tool_call", f"好的。\n<tool_call>\n{_BEIJING}\n</tool_call>", "好的。", BEIJING),
    Sample("tool_call, twice", f"<tool_call>{_PARIS}</tool_call>\n<tool_call>{_BEIJING}</tool_call>", "", BOTH),
    Sample("tool_call, not closed", f"Well.\n<tool_call>{_PARIS}", "Well.", PARIS),
    Sample("tool_call, then prose", f"<tool_call>{_PARIS}</tool_call>\nIt is sunny.", "", PARIS),
    Sample("tool_call, a bracket missing", f"<tool_call>{_PARIS[:-1]}</tool_call>", "", PARIS, mended=True),
    Sample("invoke", '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n'
           '<parameter name="days">3</parameter>\n</invoke>\n</function_calls>', "",
           _calls(("get_weather", {"city": "Paris", "days": 3}))),
    Sample("invoke, twice",
           f'<function_calls><invoke name="get_weather">{_CITY}</invoke>'
           '<invoke name="get_weather"><parameter name="city">北京</parameter></invoke></function_calls>', "", BOTH),
    Sample("invoke, alone", '<invoke name="list_files"></invoke>', "", _calls(("list_files", {}))),
    Sample("invoke, with code", '<function_calls><invoke name="write_file"><parameter name="path">a.html</parameter>'
           '<parameter name="content"><b>"x" & {y}</b>\n```\n</parameter></invoke></function_calls>', "",
           _calls(("write_file", {"path": "a.html", "content": '<b>"x" & {y}</b>\n```'}))),
    Sample("invoke, about calls", '<invoke name="write_file"><parameter name="path">a.md</parameter>'
           '<parameter name="content">So: <tool_call>x</tool_call>, </invoke> and <parameter name="q">.</parameter>'
           '</invoke>', "", _calls(("write_file", {
               "path": "a.md", "content": 'So: <tool_call>x</tool_call>, </invoke> and <parameter name="q">.'}))),
    Sample("invoke, a list one by one", '<invoke name="get_weather"><parameter name="city">Paris</parameter>'
           '<parameter name="tags">a</parameter>\n<parameter name="tags">a</parameter>\n'
           '<parameter name="tags">b</parameter></invoke>', "",
           _calls(("get_weather", {"city": "Paris", "tags": ["a", "a", "b"]}))),
    Sample("invoke, tags not closed", '<invoke name="get_weather"><city>Paris</invoke>', "", PARIS),
    Sample("invoke, then prose", f'<invoke name="get_weather">{_CITY}\nIt is sunny.', "", PARIS),
    *(Sample(f"invoke, with {mark or 'no'} quotes", f"<invoke name={mark}get_weather{mark}><parameter name={mark}city"
             f"{mark}>Paris</parameter></invoke>", "", PARIS) for mark in ("'", "")),
    *(Sample(f"invoke, with the prefix {prefix}", f'<{prefix}function_calls>\n<{prefix}invoke name="get_weather">\n'
             f'<{prefix}parameter name="city">Paris</{prefix}parameter>\n</{prefix}invoke></{prefix}function_calls>',
             "", PARIS) for prefix in ("antml:", "seed:", "steptml:")),
    Sample("invoke, wrapped with a prefix", 'So.\n<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name='
           '"city">Paris</parameter>\n</invoke>\n</minimax:tool_call>', "So.", PARIS),
    Sample("tool_call, names in it", f'<xai:function_call name="get_weather">{_CITY}\n</xai:function_call>'
           '<tool_call name="get_weather">{"city":"北京"}</tool_call>', "", BOTH),
    Sample("a name in a tag", "<tool_call><name>list_files</name>{}</tool_call>", "", _calls(("list_files", {}))),
    Sample("invoke, empty", f'<invoke name="list_files"/><invoke name="get_weather"><parameter name="unit"/>{_CITY}'
           '</invoke>', "", _calls(("list_files", {}), *PARIS)),
    Sample("tags in the fence", f"```tool_calls\n<tool_call>{_PARIS}</tool_call>\n```\n", "", PARIS),
    Sample("code in the fence", "```tool_calls\nget_weather(city='Paris')\n```\n", "", PARIS, mended=True),
    Sample("invoke, no name", "<invoke><tool_name>get_weather</tool_name><city>Paris</city></invoke>", "", PARIS),
    Sample("invoke, around JSON", f"Well.\n<invoke>{_PARIS}</invoke>", "Well.", PARIS),
    Sample("blanks in tags", f"< tool_call >{_PARIS}</tool_call>", "", PARIS),
    Sample("tool_name", '<tool_name>get_weather</tool_name>\n<parameters>{"city":"Paris"}</parameters>', "", PARIS),
    Sample("tool_name, in tags", "<tool_name>get_weather</tool_name><parameters><city>北京</city></parameters>", "",
           BEIJING),
    Sample("function=", 'I check.\n<function=get_weather>{"city": "Paris"}</function>', "I check.", PARIS),
    Sample("function=, in quotes", '<function="get_weather">{"city": "Paris"}</function>', "", PARIS),
    Sample("function=, not closed", '<function=get_weather>{"city": "Paris"}', "", PARIS),
    Sample("function=, parameters", "<tool_call>\n<function=get_weather>\n<parameter=city>\n北京\n</parameter>\n"
           "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>", "",
           _calls(("get_weather", {"city": "北京", "days": 2}))),
    Sample("function=, parameter not closed", "<function=get_weather><parameter=city>Paris", "", PARIS),
    Sample("function=, parameters not closed", "<tool_call>\n<function=get_weather>\n<parameter=city>\n北京\n"
           "<parameter=days>\n2\n</function>\n</tool_call>", "", _calls(("get_weather", {"city": "北京", "days": 2}))),
    Sample("function=, parameter not closed, then prose", "<function=get_weather><parameter=city>Paris</function>\nSo.",
           "", PARIS),
    Sample("function=, no end", "<function=list_files><function=get_weather><parameter=city>Paris</parameter>"
           "<function=get_weather><parameter=city>北京</parameter></function>", "", _calls(("list_files", {}), *BOTH)),
    Sample("tool_call, then a made-up result", f"<tool_call>{_PARIS}\n[result of get_weather]\nsunny", "", PARIS),
    Sample("TOOL_CALLS", f"[TOOL_CALLS][{_PARIS}, {_BEIJING}]", "", BOTH),
    Sample("TOOL_CALLS with CALL_ID", '[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city":"Paris"}', "", PARIS),
    Sample("TOOL_CALLS with CALL_ID, two",
           '[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city":"Paris"}'
           '[TOOL_CALLS]get_weather[CALL_ID]z9Y8x7W6v[ARGS]{"city":"北京"}', "", BOTH),
    Sample("TOOL_CALLS with ARGS", '[TOOL_CALLS]get_weather[ARGS]{"city":"Paris"}', "", PARIS),
    Sample("python_tag", '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}<|eom_id|>', "", PARIS),
    Sample("full-width marks", f"<｜tool_call｜>{_BEIJING}<｜/tool_call｜>", "", BEIJING),
    Sample("full-width DSML",
           '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" '
           'string="true">北京</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>', "", BEIJING),
    Sample("full-width, with a fence", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
           '```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>', "", PARIS),
    Sample("full-width, without a fence", '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>'
           '{"city": "北京"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>', "", BEIJING),
    Sample("sections", "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
           '<|tool_call_argument_begin|>{"city":"Paris"}<|tool_call_end|><|tool_calls_section_end|>', "", PARIS),
    Sample("arg_key", "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>北京</arg_value>\n</tool_call>", "",
           BEIJING),
    Sample("json fence", "Sure:\n" + _fence(_PARIS, word="json"), "Sure:", PARIS),
    Sample("json fences", _fence(_PARIS, word="json") + "\n\n" + _fence(_BEIJING, word="json"), "", BOTH),
    Sample("json fence, tool_calls", _fence(f'{{"tool_calls":[{_PARIS}]}}', word="json"), "", PARIS),
    Sample("json fence, then a made-up result",
           _fence(_PARIS, word="json") + "\n[result of get_weather]\nx", "", PARIS),
    Sample("tool fence", _fence(_PARIS, word="tool") + "\nWaiting.", "", PARIS),
    Sample("function_calls fence", _fence(f"[{_PARIS}]", word="function_calls"), "", PARIS),
    Sample("tool_code fence", _fence(_BEIJING, word="tool_code"), "", BEIJING),
    Sample("code", '好的。\n\n```tool_code\nprint(default_api.get_weather(city="北京"))\n```', "好的。", BEIJING,
           mended=True),
    Sample("code, twice", "```tool_code\nget_weather(city='Paris')\nget_weather(\n    city='北京',\n)\n```", "", BOTH,
           mended=True),
    Sample("code, plain values",
           '```tool_code\nget_weather(city="Paris", days=3, tags=("热", "x"), unit=None)\n```\n', "",
           _calls(("get_weather", {"city": "Paris", "days": 3, "tags": ["热", "x"]})), mended=True),
    Sample("code, not closed", "```tool_code\nlist_files()", "", _calls(("list_files", {})), mended=True),
    Sample("bare", _PARIS, "", PARIS),
    Sample("bare, parameters", '{"name": "get_weather", "parameters": {"city": "Paris"}}', "", PARIS),
    Sample("bare, input", '\n{"name": "get_weather", "input": {"city": "北京"}}\n', "", BEIJING),
    Sample("bare, args first", '{"args": {"city": "Paris"}, "name": "get_weather"}', "", PARIS),
    Sample("bare, twice", f"{_PARIS}\n{_BEIJING}", "", BOTH),
    Sample("bare, tool_calls", f'{{"tool_calls": [{_PARIS}]}}', "", PARIS),
    Sample("bare, as OpenAI's", json.dumps({"tool_calls": [{"id": "call_1", "type": "function", "function": {
           "name": "get_weather", "arguments": '{"city":"Paris"}'}}]}), "", PARIS, mended=True),
    Sample("bare, function_call", f'{{"function_call": {_PARIS}}}', "", PARIS),
    Sample("bare, text for arguments", r'{"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}', "", PARIS,
           mended=True),
]  # fmt: skip

_OTHER = _line("other_tool", city="Paris")
TEXTS = [
    "Hello! How can I help?",
    "你好，有什么可以帮你？\n\n- 一\n- 二\n",
    _fence(_OTHER),
    f"<tool_call>{_OTHER}</tool_call> is how others call.",
    f'<function_calls><invoke name="other_tool"><parameter name="a">b</parameter></invoke></function_calls>{_PARIS}',
    f"[TOOL_CALLS][{_OTHER}]",
    _fence(_OTHER, word="json"),
    _OTHER,
    "````markdown\n" + _fence(_PARIS) + "\n````\nThat is the format.",
    "~~~\n" + _fence(_PARIS) + "\n~~~",
    "```markdown\nExample:\n```tool_calls\n" + _PARIS + "\n```\n",
    "````tool_calls\n" + _PARIS + "\n````",
    "> ```tool_calls\n> " + _PARIS + "\n> ```\nas quoted",
    "  > ```tool_calls\n  > " + _PARIS + "\n  > ```\nas quoted",
    "    ```tool_calls\n    " + _PARIS + "\n    ```\n",
    "\t```tool_calls\n\t" + _PARIS + "\n\t```\n",
    "Sure.```json\n" + _PARIS + "\n```",
    f"</tool_call>{_PARIS} is how it ends.",
    "So <tool_call{x> and <invoke{y> are no tags.",
    "The tag <invoke> names no tool, and </invoke> ends it.",
    f"It is {_PARIS}",
    f"Like this:\n> `so` ```tool_calls\n> {_PARIS}\n> ```\n",
    f"```sh\nls\n```\n> ```tool_calls\n> {_PARIS}\n> ```\n",
    f"```sh\n```x\n{_fence(_PARIS)}\n",
    f"````markdown\n```sh\nls\n```\n{_fence(_PARIS)}\n````\n",
    f"~~~\n```sh\nls\n```\n{_fence(_PARIS)}\n~~~\n",
    '{"args": {"a": 1}, "b": <invoke name="other_tool">',
    f"One writes `<tool_call>{_PARIS}</tool_call>` for it.",
    f"````xml\n<tool_call>{_PARIS}</tool_call>\n````\n",
    "```xml\n<function_calls><invoke name=\"list_files\"></invoke></function_calls>\n```\n",
    "For example:\n" + _fence(_PARIS, word="json") + "\nBut I will not call it.",
    "例如：\n" + _fence(_BEIJING, word="json") + "\n这只是一个例子。",
    f"The call would be {_PARIS}, I think.",
    f"{_PARIS}\nis what one would write.",
    '{"name": "Bob", "age": 3}',
    '{"name": "get_weather", "about": "not a call"}',
    '{"city": "Paris", "temperature": 21}',
    "[1, 2, 3]",
    "[result of the vote](https://example.com/vote) is known.",
    "[result of the day]\nThe vote is over.",
    "[result of vote](https://example.com/vote) is known.",
    "The line [result of list_files] is never written.",
    "a < b and c > d, x[0] = `y`, ~~gone~~",
    "```python\nprint('<tool_call>')\n```\nand ```` ``` ```` inline",
    "```json\n{\"a\": 1}\n```\nThat was JSON.\n```json\n[2]\n```",
    "<tool_call> is a tag, <b>bold</b> another; <function=other>x</function>",
    "use the function get_weather(city) with {city}",
    "```tool_calls\nnot JSON\n```",
    '```tool_calls\n{"a": 1}\n```',
    "```tool_calls\nThis is how one writes it:\n" + _PARIS + "\n```",
    '{"args": {"city": "Paris"}, "name": "other_tool", "note": "cut off',
    '```tool_calls\n{"args": {"city": "Paris"}, "name": "other_tool", "note": "cut off',
    "```tool\nlist_files\n```",
    "```tool_code\nlist_files\n```",
    "```tool_code\nprint('list_files()')\n```",
    "```tool_code\nother(city='Paris')\n```\nis not mine",
    "```tool_code\nimport os\nlist_files()\n```",
    "```python\nprint(default_api.list_files())\n```\n",
    "<function=get_weather> is not called here",
    "\n\n  \n",
    "ends with blanks \n\n",
    "F# applies functions by |> and <|",
    "line\r\n```\r\ncode\r\n```\r\n",
]  # fmt: skip

CALLS = [*ASKED_FORMAT, *BROKEN_JSON, *DIALECTS]
