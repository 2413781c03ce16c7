"""Samples of the corpus: calls in tags, as models write them."""

from tests.proxy.chat.tools.samples import BEIJING, BOTH, PARIS, TO_BEIJING, TO_PARIS, Sample, calls

_CITY = '<parameter name="city">Paris</parameter>'

TAGGED = [
    Sample("tool_call", f"好的。\n<tool_call>\n{TO_BEIJING}\n</tool_call>", "好的。", BEIJING),
    Sample("tool_call, twice", f"<tool_call>{TO_PARIS}</tool_call>\n<tool_call>{TO_BEIJING}</tool_call>", "", BOTH),
    Sample("tool_call, not closed", f"Well.\n<tool_call>{TO_PARIS}", "Well.", PARIS),
    Sample("tool_call, then prose", f"<tool_call>{TO_PARIS}</tool_call>\nIt is sunny.", "", PARIS),
    Sample("tool_call, a bracket missing", f"<tool_call>{TO_PARIS[:-1]}</tool_call>", "", PARIS, repaired=True),
    Sample("invoke", '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n'
           '<parameter name="days">3</parameter>\n</invoke>\n</function_calls>', "",
           calls(("get_weather", {"city": "Paris", "days": 3}))),
    Sample("invoke, twice",
           f'<function_calls><invoke name="get_weather">{_CITY}</invoke>'
           '<invoke name="get_weather"><parameter name="city">北京</parameter></invoke></function_calls>', "", BOTH),
    Sample("invoke, alone", '<invoke name="list_files"></invoke>', "", calls(("list_files", {}))),
    Sample("invoke, with code", '<function_calls><invoke name="write_file"><parameter name="path">a.html</parameter>'
           '<parameter name="content"><b>"x" & {y}</b>\n```\n</parameter></invoke></function_calls>', "",
           calls(("write_file", {"path": "a.html", "content": '<b>"x" & {y}</b>\n```'}))),
    Sample("invoke, about calls", '<invoke name="write_file"><parameter name="path">a.md</parameter>'
           '<parameter name="content">So: <tool_call>, </parameters>, </invoke> and <parameter name=q></parameter>'
           '</invoke>', "", calls(("write_file", {
               "path": "a.md", "content": 'So: <tool_call>, </parameters>, </invoke> and <parameter name=q>'}))),
    Sample("invoke, a list one by one", '<invoke name="get_weather"><parameter name="city">Paris</parameter>'
           '<parameter name="tags">a</parameter>\n<parameter name="tags">a</parameter>\n'
           '<parameter name="tags">b</parameter></invoke>', "",
           calls(("get_weather", {"city": "Paris", "tags": ["a", "a", "b"]}))),
    Sample("invoke, tags not closed", '<invoke name="get_weather"><city>Paris</invoke>', "", PARIS),
    Sample("invoke, then prose", f'<invoke name="get_weather">{_CITY}\nIt is sunny.', "", PARIS),
    Sample("invoke, then a made-up result", f'<invoke name="get_weather">{_CITY}\n[result of get_weather]\nsunny', "",
           PARIS),
    *(Sample(f"invoke, with {mark or 'no'} quotes", f"<invoke name={mark}get_weather{mark}><parameter name={mark}city"
             f"{mark}>Paris</parameter></invoke>", "", PARIS) for mark in ("'", "")),
    *(Sample(f"invoke, with the prefix {prefix}", f'<{prefix}function_calls>\n<{prefix}invoke name="get_weather">\n'
             f'<{prefix}parameter name="city">Paris</{prefix}parameter>\n</{prefix}invoke></{prefix}function_calls>',
             "", PARIS) for prefix in ("antml:", "seed:", "steptml:")),
    Sample("invoke, wrapped with a prefix", 'So.\n<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name='
           '"city">Paris</parameter>\n</invoke>\n</minimax:tool_call>', "So.", PARIS),
    Sample("tool_call, names in it", f'<xai:function_call name="get_weather">{_CITY}\n</xai:function_call>'
           '<tool_call name="get_weather">{"city":"北京"}</tool_call>', "", BOTH),
    Sample("a name in a tag", "<tool_call><name>list_files</name>{}</tool_call>", "", calls(("list_files", {}))),
    Sample("invoke, empty", f'<invoke name="list_files"/><invoke name="get_weather"><parameter name="unit"/>{_CITY}'
           '</invoke>', "", calls(("list_files", {}), *PARIS)),
    Sample("tags in the fence", f"```tool_calls\n<tool_call>{TO_PARIS}</tool_call>\n```\n", "", PARIS),
    Sample("code in the fence", "```tool_calls\nget_weather(city='Paris')\n```\n", "", PARIS, repaired=True),
    Sample("invoke, empty, without quotes", "<invoke name=list_files/>", "", calls(("list_files", {}))),
    Sample("invoke, no name", "<invoke><tool_name>get_weather</tool_name><city>Paris</city></invoke>", "", PARIS),
    Sample("invoke, around JSON", f"Well.\n<invoke>{TO_PARIS}</invoke>", "Well.", PARIS),
    Sample("tool_call, around a fence", f"<tool_call>\n```json\n{TO_PARIS}\n```\n</tool_call>", "", PARIS),
    Sample("tool_call, then a word", f"<tool_call>{TO_PARIS}</tool_call>\nDone\n", "", PARIS),
    Sample("tool_call, then other JSON", f'<tool_call>{TO_PARIS}</tool_call>\n{{"a": 1}}', "", PARIS),
    Sample("function=, an argument called name", '<function=list_files>{"name": "x", "b": 1}</function>', "",
           calls(("list_files", {"name": "x", "b": 1}))),
    Sample("function=, a bracket missing", '<function=list_files>{"a": {"b": 1}</function>', "",
           calls(("list_files", {"a": {"b": 1}})), repaired=True),
    Sample("function=, blanks in a value", "<function=write_file><parameter=path>a</parameter><parameter=content>"
           "\n\n  x\n\n</parameter></function>", "", calls(("write_file", {"path": "a", "content": "\n  x\n"}))),
    Sample("invoke, said to be text or not", '<invoke name="list_files"><parameter name="a" string="true">2</parameter>'
           '<parameter name="b" string="false">2</parameter><parameter name="c">2</parameter></invoke>', "",
           calls(("list_files", {"a": "2", "b": 2, "c": "2"}))),
    Sample("python_tag, twice", f"<|python_tag|>{TO_PARIS}; {TO_BEIJING}", "", BOTH),
    Sample("blanks in tags", f"< tool_call >{TO_PARIS}</tool_call>", "", PARIS),
    Sample("tool_name", '<tool_name>get_weather</tool_name>\n<parameters>{"city":"Paris"}</parameters>', "", PARIS),
    Sample("tool_name, then a name", "<tool_name>list_files</tool_name><name>x</name>", "",
           calls(("list_files", {"name": "x"}))),
    Sample("invoke, empty, then prose", '<invoke name="list_files"/>\nWell.', "", calls(("list_files", {}))),
    Sample("tool_name, then prose", "<tool_name>list_files</tool_name><parameters></parameters>\nWell.", "",
           calls(("list_files", {}))),
    Sample("tool_name, in tags", "<tool_name>get_weather</tool_name><parameters><city>北京</city></parameters>", "",
           BEIJING),
    Sample("function=", 'I check.\n<function=get_weather>{"city": "Paris"}</function>', "I check.", PARIS),
    Sample("function=, in quotes", '<function="get_weather">{"city": "Paris"}</function>', "", PARIS),
    Sample("function=, not closed", '<function=get_weather>{"city": "Paris"}', "", PARIS),
    Sample("function=, parameters", "<tool_call>\n<function=get_weather>\n<parameter=city>\n北京\n</parameter>\n"
           "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>", "",
           calls(("get_weather", {"city": "北京", "days": 2}))),
    Sample("function=, parameter not closed", "<function=get_weather><parameter=city>Paris", "", PARIS),
    *(Sample(f"function=, parameters closed by {end}", f"<function=get_weather>\n<parameter=city>\nParis\n{end}\n"
             f"<parameter=days>\n2\n{end}\n</function>", "", calls(("get_weather", {"city": "Paris", "days": 2})))
      for end in ("</parameter/>", "</parameter1>", "</parameter_function>", "</parameterfunction>")),
    Sample("function, a name in it", f'So.\n<function name="get_weather">\n{_CITY}\n</function>', "So.", PARIS),
    Sample("function=, parameters not closed", "<tool_call>\n<function=get_weather>\n<parameter=city>\n北京\n"
           "<parameter=days>\n2\n</function>\n</tool_call>", "", calls(("get_weather", {"city": "北京", "days": 2}))),
    Sample("function=, parameter not closed, then prose", "<function=get_weather><parameter=city>Paris</function>\nSo.",
           "", PARIS),
    Sample("function=, no end", "<function=list_files><function=get_weather><parameter=city>Paris</parameter>"
           "<function=get_weather><parameter=city>北京</parameter></function>", "", calls(("list_files", {}), *BOTH)),
    Sample("tool_call, then a made-up result", f"<tool_call>{TO_PARIS}\n[result of get_weather]\nsunny", "", PARIS),
    Sample("TOOL_CALLS", f"[TOOL_CALLS][{TO_PARIS}, {TO_BEIJING}]", "", BOTH),
    Sample("TOOL_CALLS with CALL_ID", '[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city":"Paris"}', "", PARIS),
    Sample("TOOL_CALLS with CALL_ID, two",
           '[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city":"Paris"}'
           '[TOOL_CALLS]get_weather[CALL_ID]z9Y8x7W6v[ARGS]{"city":"北京"}', "", BOTH),
    Sample("TOOL_CALLS with ARGS", '[TOOL_CALLS]get_weather[ARGS]{"city":"Paris"}', "", PARIS),
    Sample("python_tag", '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}<|eom_id|>', "", PARIS),
    Sample("full-width marks", f"<｜tool_call｜>{TO_BEIJING}<｜/tool_call｜>", "", BEIJING),
    Sample("full-width DSML",
           '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" '
           'string="true">北京</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>', "", BEIJING),
    Sample("full-width, with a fence", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
           '```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>', "", PARIS),
    Sample("full-width, without a fence", '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>'
           '{"city": "北京"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>', "", BEIJING),
    Sample("full-width, two with fences", "<｜tool▁calls▁begin｜>" + "\n".join(
           f'<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{{"city": "{city}"}}\n```'
           "<｜tool▁call▁end｜>"
           for city in ("Paris", "北京")) + "<｜tool▁calls▁end｜>", "", BOTH),
    *(Sample(f"{section} with two calls", f"So.<|{section}_begin|>" + "".join(
             f'<|tool_call_begin|>functions.get_weather:{at}<|tool_call_argument_begin|>{{"city":"{city}"}}'
             "<|tool_call_end|>" for at, city in enumerate(("Paris", "北京"))) + f"<|{section}_end|>", "So.", BOTH)
      for section in ("tool_calls_section", "tool_call_section")),
    Sample("sections", "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
           '<|tool_call_argument_begin|>{"city":"Paris"}<|tool_call_end|><|tool_calls_section_end|>', "", PARIS),
    Sample("arg_key, then a colon", "<tool_call>get_weather\n<arg_key>city</arg_key>:\n<arg_value>Paris</arg_value>\n"
           "</tool_call>", "", PARIS),
    Sample("python_start", f"<|python_start|>{TO_PARIS}<|python_end|>", "", PARIS),
    Sample("arg_key", "<tool_call>get_weather\n<arg_key> city</arg_key>\n<arg_value>北京</arg_value>\n</tool_call>", "",
           BEIJING),
]  # fmt: skip
