"""Rendering Markdown in the terminal while it streams."""

import random

import pytest

from shared.cli.markdown import MarkdownStream, complete_length

DOCUMENT = """\
# Heading

A paragraph with **bold**
on two lines.

- one
- two

  more of two

```python
x = 1

y = 2
```

| a | b |
|---|---|
| 1 | 2 |

The last words."""
PARAGRAPH = "A paragraph with **bold**\non two lines.\n"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("Only words", ""),
        ("One.\n\nTwo", "One.\n\n"),
        ("Title\n=====\n", ""),  # the line below made the one above a heading
        ("- one\n- two\n\n  more of two", ""),
        ("```\nx = 1\n\ny = 2\n", ""),
        ("```\nx = 1\n```\nafter", "```\nx = 1\n```\n"),
        ("| a |\n|---|\n| 1 |", ""),
        ("a\u2028b\u2028c\n\n```\nx = 1\n```\nafter", "a\u2028b\u2028c\n\n```\nx = 1\n```\n"),
    ],
)
def test_only_blocks_that_no_later_text_can_change_are_complete(text: str, whole: str) -> None:
    assert text[: complete_length(text)] == whole


def test_an_answer_is_rendered_the_same_however_it_is_split(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.cli.markdown.PARSE_SECONDS", 0.0)
    shown = []
    for seed in range(5):
        chance, rest = random.Random(seed), DOCUMENT
        with MarkdownStream() as answer:
            while rest:
                size = chance.randint(1, 40) if seed else len(DOCUMENT)
                answer.show(rest[:size])
                rest = rest[size:]
        lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        shown.append([line for line in lines if line])  # rich leaves a line free before some blocks, and we before all

    assert "A paragraph with bold on two lines." in shown[0]
    for each in shown[1:]:
        assert each == shown[0]
