"""The README in both languages says what is so: settings, commands, and the same blocks to type."""

import re
from pathlib import Path

import click
import pytest

from shared.cli.app import freeaichat
from shared.settings import load
from tests.clients.agents.running import LIBRARIES
from tests.clients.programs.tasks import PROGRAMS
from tests.settings_table import LANGUAGES, Language, in_readme, table

ROOT = Path(__file__).parents[1]
AGENTS = {  # what runs each of them: a library's script, or a program by its name
    "OpenAI Agents SDK": "openai_agents_sdk.py",
    "LlamaIndex": "llama_index_agents.py",
    "instructor": "instructor_objects.py",
    "smolagents": "smolagents_tools.py",
    "Codex CLI": "codex",
    "opencode": "opencode",
    "Continue": "cn",
    "aider": "aider",
    "Anthropic's SDK, Python": "anthropic_messages.py",
    "Anthropic's SDK, Node.js": "anthropic_tools.mjs",
    "LiteLLM, Messages API": "litellm_messages.py",
    "Claude Code": "claude",
}
ALSO_CLIENTS = (  # which have a row among the clients
    *("openai_chat.py", "openai_responses.py", "langchain_agents.py", "pydantic_agents.py"),
    *("openai_tools.mjs", "ai_sdk_tools.mjs"),
)
README, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))


def command_names(group: click.Group, prefix: str = "freeaichat") -> set[str]:
    """Every command as it is typed."""
    found: set[str] = set()
    for name, command in group.commands.items():
        typed = f"{prefix} {name}"
        found |= command_names(command, typed) if isinstance(command, click.Group) else {typed}
    return found


@pytest.mark.parametrize("language", LANGUAGES, ids=["English", "Chinese"])
def test_the_settings_table_is_the_one_made_from_the_settings(language: Language) -> None:
    assert in_readme(language.file.read_text("utf-8")) == table(language), "run: python -m tests.settings_table"


def agents(text: str) -> dict[str, list[str]]:
    """What to type for each agent, by its first word."""
    table = text.partition("<!-- agents -->\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", table, re.MULTILINE)[1:]
    return {name: re.findall(r"`([^`]+)`", typed) for name, typed in rows}


def test_the_agents_in_the_readme_are_those_that_are_run() -> None:
    english, chinese = agents(README), agents(CHINESE)
    scripts = {library.script for library in LIBRARIES} - set(ALSO_CLIENTS)

    assert list(english.values()) == list(chinese.values())
    assert {name.partition(" (")[0] for name in english} == {*AGENTS, "Open WebUI"}
    assert set(AGENTS.values()) == scripts | set(PROGRAMS)


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_every_command_is_in_the_readme(text: str) -> None:
    assert {name for name in command_names(freeaichat) if f"`{name}" not in text} == set()
    assert text.count("\n") <= 360


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_what_adds_sites_and_servers_says_so(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```dotenv\n(.*?)```", text, re.DOTALL)
    (tmp_path / ".env").write_text(block, "utf-8")
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / ".env"))
    settings = load()

    assert [site.host for site in settings.sites] == ["chatgptfree.ai", "site.example"]
    assert [server.name for server in settings.servers] == ["ollama", "big"]
    assert [settings.server_key(server) for server in settings.servers] == ["", "sk-..."]
    assert settings.fallback_model == "ollama/llama3.2"


def test_both_languages_give_the_same_commands_to_type() -> None:
    def marked(text: str) -> list[str]:
        return re.findall(r"<!-- (?:main|test)-command -->\n```sh\n(.+)\n```", text)

    assert len(marked(README)) == 2
    assert marked(README) == marked(CHINESE)
    shapes = [
        [len(block.splitlines()) for block in re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)]
        for text in (README, CHINESE)
    ]
    assert shapes[0] == shapes[1]


def folded(text: str) -> dict[str, str]:
    """The sections that fold, by the names under which links find them."""
    return dict(re.findall(r'<details id="([a-z]+)"><summary>.+?</summary>\n\n(.+?)\n+</details>\n', text, re.DOTALL))


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_the_first_screen_is_promise_command_and_first_answer(text: str) -> None:
    lines = text.splitlines()

    assert lines.index("<!-- main-command -->") < 8
    assert next(at for at, line in enumerate(lines) if line.startswith("curl ")) < 16


def test_what_newcomers_need_is_read_in_five_minutes_and_all_else_folds() -> None:
    shown = README
    for part in folded(README).values():
        shown = shown.replace(part, "")

    assert len(shown.split()) <= 5 * 200  # words that people read in a minute
    assert list(folded(README)) == list(folded(CHINESE))
    assert README.count("<details") == README.count("</details>") == len(folded(README))


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_every_link_leads_somewhere(text: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    inside = {link.removeprefix("#") for link in links if link.startswith("#")}
    files = [link for link in links if not link.startswith(("#", "http"))]

    assert inside <= set(folded(text))
    assert len(files) >= 5
    assert [link for link in files if not (ROOT / link).is_file()] == []
