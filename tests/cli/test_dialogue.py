"""`freeaichat chat` in a terminal, typed into as a person does."""

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.cli.chat_prompt import HISTORY_FILE
from tests.cli.processes import clean_environment
from tests.cli.terminal import CTRL_C, CTRL_D, ENTER, UP, Terminal, terminal
from tests.needs import FREEAICHAT
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("measured")

PROMPT = "\n> "


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The settings with which the running proxy is found."""
    async with SimulatedSite() as site, running_proxy(site, tmp_path / "data") as proxy:
        yield clean_environment(tmp_path / "data", site.url, urlsplit(proxy.url).port or 0)


async def chat_in_terminal(environment: dict[str, str], dialogue: Callable[["Session"], None], *options: str) -> str:
    """Run `freeaichat chat` in a terminal while *dialogue* types into it; return its output. It must exit with 0."""

    def run() -> str:
        with terminal([FREEAICHAT, "chat", *options], environment) as shown:
            dialogue(Session(shown))
            assert shown.wait() == 0, shown.shown
            return shown.raw

    return await asyncio.to_thread(run)


class Session:
    """A chat in a terminal; types each line once the previous one was answered."""

    def __init__(self, shown: Terminal) -> None:
        self.shown = shown
        self._at = shown.wait_for(PROMPT)

    def keys(self, keys: str) -> None:
        """Press *keys* in the line that is asked for."""
        self.shown.type(keys)

    def say(self, line: str) -> str:
        """Type *line*; return the output up to the next prompt."""
        start = self._at
        self.shown.type(line + ENTER)
        self._at = self.shown.wait_for(PROMPT, after=start)
        return self.shown.shown[start : self._at]

    def leave(self, word: str = "/quit") -> None:
        """End the chat."""
        self.shown.type(word + ENTER)


async def test_commands_change_model_search_and_conversation(environment: dict[str, str]) -> None:
    def dialogue(session: Session) -> None:
        assert "web-search-bot" in session.say("/model")
        assert "going on with web-search-bot" in session.say("/model WEB-search-bot")
        assert "* web-search-bot" in session.say("/model")
        assert "'nobody' does not exist" in session.say("/model nobody")
        assert "is on" in session.say("/search")
        found = session.say("my name is Ada")
        assert "websearch=1" in found
        assert "Sources:" in found
        assert "is off" in session.say("/search off")
        assert "Ada" in session.say("[[recall]]")
        assert "a new conversation" in session.say("/new")
        assert "Ada" not in session.say("[[recall]]")
        assert "/quit" in session.say("/help")
        assert "/nothing is no command" in session.say("/nothing")
        assert "etc/hosts" in session.say("/etc/hosts is a file")
        session.leave()

    await chat_in_terminal(environment, dialogue)


async def test_the_arrow_key_brings_back_what_was_typed_also_in_an_earlier_sitting(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def first(session: Session) -> None:
        session.say("[[say:one]]")
        session.say("[[say:two]]")
        session.keys(UP + UP)
        assert re.search(r"[\r\n]one\b", session.say(""))
        session.keys(CTRL_D)

    def second(session: Session) -> None:
        session.keys(UP)  # the last line
        assert "one" in session.say("")
        session.leave("/exit")

    await chat_in_terminal(environment, first)
    history = tmp_path / "data" / HISTORY_FILE

    assert history.read_text().split("\n")[-4:-1] == ["[[say:one]]", "[[say:two]]", "[[say:one]]"]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    await chat_in_terminal(environment, second)


async def test_ctrl_c_stops_the_answer_and_the_sitting_goes_on(environment: dict[str, str]) -> None:
    def dialogue(session: Session) -> None:
        session.shown.type("[[tokens:2000]] [[delay:0.05]]" + ENTER)
        session.shown.wait_for("token")
        session.shown.wait_for("1", after=session.shown.wait_for("delay:0.05]]") + 1)
        session.say(CTRL_C)
        assert "afterwards" in session.say("[[say:afterwards]]")
        session.leave()

    assert "(stopped)" in await chat_in_terminal(environment, dialogue)


async def test_markdown_is_set_where_there_is_colour_and_no_answer_commands_the_terminal(
    environment: dict[str, str],
) -> None:
    message = (
        "[[say:**bold** words\x16\x1b]2;a title\x16\x07 end]]"  # typed as Ctrl-V and the key, as readline takes them
    )

    def dialogue(session: Session) -> None:
        session.say(message)
        session.leave()

    coloured = await chat_in_terminal(environment, dialogue)
    plain = await chat_in_terminal(environment | {"NO_COLOR": "1"}, dialogue)

    assert "\x1b[1mbold\x1b[0m words" in coloured
    assert "**bold** words" not in coloured.rpartition("end]]")[2]
    assert "**bold** words" in plain.rpartition("end]]")[2]
    for shown in (coloured, plain):
        assert "\x1b]2;" not in shown


async def test_several_lines_that_are_pasted_are_one_message(environment: dict[str, str]) -> None:
    def dialogue(session: Session) -> None:
        answer = session.say("\x1b[200~[[say:# Heading\n\n- first\n- second]]\x1b[201~")
        assert " • first" in answer
        assert " • second" in answer
        session.leave()

    await chat_in_terminal(environment, dialogue)
