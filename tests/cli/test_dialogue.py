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


async def sit_down(environment: dict[str, str], talk: Callable[["Sitting"], None], *options: str) -> str:
    """What was shown while *talk* typed into a chat, which has to end well."""

    def sit() -> str:
        with terminal([FREEAICHAT, "chat", *options], environment) as shown:
            talk(Sitting(shown))
            assert shown.wait() == 0, shown.shown
            return shown.raw

    return await asyncio.to_thread(sit)


class Sitting:
    """Types lines into the chat, each once the one before was answered."""

    def __init__(self, shown: Terminal) -> None:
        self.shown = shown
        self._at = shown.wait_for(PROMPT)

    def keys(self, keys: str) -> None:
        """Press *keys* in the line that is asked for."""
        self.shown.type(keys)

    def say(self, line: str) -> str:
        """What is shown from the *line* on until the next one is asked for."""
        begun = self._at
        self.shown.type(line + ENTER)
        self._at = self.shown.wait_for(PROMPT, after=begun)
        return self.shown.shown[begun : self._at]

    def leave(self, word: str = "/quit") -> None:
        """Say that it is over."""
        self.shown.type(word + ENTER)


async def test_commands_change_model_search_and_conversation(environment: dict[str, str]) -> None:
    def talk(sitting: Sitting) -> None:
        assert "web-search-bot" in sitting.say("/model")
        assert "going on with web-search-bot" in sitting.say("/model WEB-search-bot")
        assert "* web-search-bot" in sitting.say("/model")
        assert "'nobody' does not exist" in sitting.say("/model nobody")
        assert "is on" in sitting.say("/search")
        found = sitting.say("my name is Ada")
        assert "websearch=1" in found
        assert "Sources:" in found
        assert "is off" in sitting.say("/search off")
        assert "Ada" in sitting.say("[[recall]]")
        assert "a new conversation" in sitting.say("/new")
        assert "Ada" not in sitting.say("[[recall]]")
        assert "/quit" in sitting.say("/help")
        assert "/nothing is no command" in sitting.say("/nothing")
        assert "etc/hosts" in sitting.say("/etc/hosts is a file")
        sitting.leave()

    await sit_down(environment, talk)


async def test_the_arrow_key_brings_back_what_was_typed_also_in_an_earlier_sitting(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def first(sitting: Sitting) -> None:
        sitting.say("[[say:one]]")
        sitting.say("[[say:two]]")
        sitting.keys(UP + UP)
        assert re.search(r"[\r\n]one\b", sitting.say(""))
        sitting.keys(CTRL_D)

    def second(sitting: Sitting) -> None:
        sitting.keys(UP)  # the last line
        assert "one" in sitting.say("")
        sitting.leave("/exit")

    await sit_down(environment, first)
    history = tmp_path / "data" / HISTORY_FILE

    assert history.read_text().split("\n")[-4:-1] == ["[[say:one]]", "[[say:two]]", "[[say:one]]"]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    await sit_down(environment, second)


async def test_ctrl_c_stops_the_answer_and_the_sitting_goes_on(environment: dict[str, str]) -> None:
    def talk(sitting: Sitting) -> None:
        sitting.shown.type("[[tokens:2000]] [[delay:0.05]]" + ENTER)
        sitting.shown.wait_for("token")
        sitting.shown.wait_for("1", after=sitting.shown.wait_for("delay:0.05]]") + 1)
        sitting.say(CTRL_C)
        assert "afterwards" in sitting.say("[[say:afterwards]]")
        sitting.leave()

    assert "(stopped)" in await sit_down(environment, talk)


async def test_markdown_is_set_where_there_is_colour_and_no_answer_commands_the_terminal(
    environment: dict[str, str],
) -> None:
    said = "[[say:**bold** words\x16\x1b]2;a title\x16\x07 end]]"  # typed as Ctrl-V and the key, as readline takes them

    def talk(sitting: Sitting) -> None:
        sitting.say(said)
        sitting.leave()

    coloured = await sit_down(environment, talk)
    plain = await sit_down(environment | {"NO_COLOR": "1"}, talk)

    assert "\x1b[1mbold\x1b[0m words" in coloured
    assert "**bold** words" not in coloured.rpartition("end]]")[2]
    assert "**bold** words" in plain.rpartition("end]]")[2]
    for shown in (coloured, plain):
        assert "\x1b]2;" not in shown


async def test_several_lines_that_are_pasted_are_one_message(environment: dict[str, str]) -> None:
    def talk(sitting: Sitting) -> None:
        answer = sitting.say("\x1b[200~[[say:# Heading\n\n- first\n- second]]\x1b[201~")
        assert " • first" in answer
        assert " • second" in answer
        sitting.leave()

    await sit_down(environment, talk)
