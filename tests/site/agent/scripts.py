r"""One answer by a script that a test gave.

A script is a list of steps, one for each answer from the message that holds `[[script:NAME]]` on; what comes after the
last tells the results. A step is a JSON object:

- `text`: what is said, before the call where there is one; `{results}` in it stands for what the tools gave.
- `calls`: a list of `[name, arguments]`; `json`: a value to answer with.
- `form`: how that is written, a key of `CALLS` or `ANSWERS`; a list has one form for each try, the last for all later
  ones. Without it, as asked for.
- `after`: what comes after that.
- `forced`: call only where the choice says that a tool has to be called.
- `anyway`: call and answer also where nothing declared the tool, forbade the call, or asked for JSON.

The model does what it is told and nothing else: without `anyway` it says in prose what it missed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.site.agent.instructions import Instructions, conversation, is_reminder, read_instructions, results
from tests.site.agent.writing import ANSWERS, CALLS
from tests.site.records import Message

_SCRIPT = re.compile(r"\[\[script:([\w-]+)\]\]")
_LAST: Mapping[str, Any] = {"text": "So: {results}."}


def play(messages: Sequence[Message], scripts: Mapping[str, Any]) -> str | None:
    """Answer *messages* by the script that a user's text names; None if none does."""
    history = conversation(messages)
    begin = next((at for at in reversed(range(len(history))) if _script_in(history[at])), None)
    if begin is None:
        return None
    name = _script_in(history[begin])
    if name not in scripts:
        return f"There is no script '{name}'."
    since = history[begin + 1 :]
    answers = sum(message["role"] == "assistant" for message in since)
    repeated = sum(map(is_reminder, since))
    steps = scripts[name]
    number = answers - repeated
    step = steps[number] if number < len(steps) else _LAST
    return _answer(step, read_instructions(history), results(since), attempt=_attempt(since))


def _script_in(message: Message) -> str:
    names = _SCRIPT.findall(message["content"]) if message["role"] == "user" else []
    return names[-1] if names else ""


def _attempt(since: Sequence[Message]) -> int:
    """How often the answer that comes next was asked for again."""
    prompts = [message for message in since if message["role"] == "user"]
    return next((at for at, message in enumerate(reversed(prompts)) if not is_reminder(message)), len(prompts))


def _answer(
    step: Mapping[str, Any], instructions: Instructions, tool_results: Sequence[tuple[str, str]], *, attempt: int
) -> str:
    text = str(step.get("text", "")).replace("{results}", "; ".join(result for _, result in tool_results))
    missed = "" if step.get("anyway") else _missed(step, instructions)
    if missed:
        return missed
    forms = step.get("form", "asked")
    form = forms if isinstance(forms, str) else forms[min(attempt, len(forms) - 1)]
    if "calls" in step:
        written = CALLS[form]([(name, arguments) for name, arguments in step["calls"]])
    elif "json" in step:
        written = ANSWERS[form](step["json"])
    else:
        written = ""
    return "\n\n".join(part for part in (text, written, str(step.get("after", ""))) if part)


def _missed(step: Mapping[str, Any], instructions: Instructions) -> str:
    """What the step needs and the instructions lack or forbid; empty if nothing."""
    names = [name for name, _ in step.get("calls", [])]
    unknown = [name for name in names if name not in instructions.tools]
    if unknown:
        return f"I know no tool {unknown[0]}, only: {', '.join(instructions.tools) or 'none'}."
    if names and instructions.choice not in ("auto", "required", names[0]):
        return f"I was not to call {names[0]}: tool choice: {instructions.choice}."
    if step.get("forced") and instructions.choice not in ("required", *names):
        return "Nobody said that I had to call."
    if "json" in step and not instructions.wants_json:
        return "Nobody asked me for JSON."
    return ""
