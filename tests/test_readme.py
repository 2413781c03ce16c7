"""The README in both languages says what is so: settings, commands, and the same blocks to type."""

import re
from pathlib import Path

import click
import pytest

from shared.cli.app import freeaichat
from tests.settings_table import LANGUAGES, Language, in_readme, table

ROOT = Path(__file__).parents[1]
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


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_every_command_is_in_the_readme(text: str) -> None:
    assert {name for name in command_names(freeaichat) if f"`{name}" not in text} == set()
    assert text.count("\n") <= 360


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
