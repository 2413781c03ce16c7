"""The rooms keep to themselves: who may import whom, one home per library, and sizes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("harvester", "proxy", "shared")
MAX_LINES = 300
PURE = ("proxy/protocol/", "shared/aipkit/")
PURE_IMPORTS = {
    *("base64", "collections", "contextlib", "dataclasses", "enum", "hashlib", "itertools", "json", "math", "re"),
    *("typing", "unicodedata", "urllib", "orjson", "pydantic"),
    *("proxy.protocol", "shared.aipkit", "shared.conversations", "shared.models", "shared.parsing"),
}
HOMES = {  # the only files that may import a library
    "playwright": ("harvester/browser.py",),
    "apscheduler": ("harvester/schedule.py",),
    "aiohttp": ("shared/http.py", "proxy/"),
    "sqlite3": ("shared/store/",),
    "uuid": ("proxy/answer.py", "shared/manual.py", "harvester/"),
}
# A client of aiohttp's in the proxy would be a second home.
NAMES_WITH_HOMES = {"ClientSession": ("shared/http.py",)}
ENVIRONMENT = ("shared/settings.py", "shared/lifeline.py", "shared/browsers.py", "shared/cli/", "harvester/")


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names of all modules that *tree* imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def within(name: str, modules: set[str] | tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def violations(path: str, source: str) -> list[str]:
    """What is wrong with a file of the product, by its path from the root."""
    tree = ast.parse(source)
    found = []
    others = {"shared": ("harvester", "proxy"), "harvester": ("proxy",), "proxy": ("harvester",)}[
        path.partition("/")[0]
    ]
    for name in imports(tree):
        if within(name, others) or within(name, ("tests",)):
            found.append(f"{path} imports {name}")
        for library, homes in HOMES.items():
            if within(name, (library,)) and not path.startswith(homes):
                found.append(f"{path} imports {name}, whose home is {' or '.join(homes)}")
        if path.startswith(PURE) and not within(name, PURE_IMPORTS):
            found.append(f"{path} must stay pure and imports {name}")
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if name in NAMES_WITH_HOMES and not path.startswith(NAMES_WITH_HOMES[name]):
            found.append(f"{path} uses {name}")
        if name == "environ" and not path.startswith(ENVIRONMENT):
            found.append(f"{path} reads the environment")
    if source.count("\n") > MAX_LINES:
        found.append(f"{path} has more than {MAX_LINES} lines")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_keeps_to_its_room(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))

    found = [
        problem for file in files for problem in violations(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))
    ]

    assert files
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("shared/x.py", "import proxy.app"),
        ("shared/cli/x.py", "from harvester.service import run"),
        ("harvester/x.py", "def f():\n    from proxy import app"),
        ("proxy/x.py", "import harvester"),
        ("proxy/x.py", "from tests.site import SimulatedSite"),
        ("harvester/x.py", "from playwright.async_api import async_playwright"),
        ("harvester/x.py", "import apscheduler.schedulers.asyncio"),
        ("harvester/x.py", "import aiohttp"),
        ("proxy/x.py", "import aiohttp\nsession = aiohttp.ClientSession()"),
        ("proxy/protocol/x.py", "import asyncio"),
        ("proxy/protocol/x.py", "from time import time"),
        ("shared/aipkit/x.py", "from shared.store import Store"),
        ("proxy/x.py", "import os\nos.environ['A']"),
        ("proxy/x.py", "a = 1\n" * 301),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    assert violations(path, source)


def test_no_test_can_be_passed_over() -> None:
    marks = re.compile(r"pytest\.(skip|importorskip|xfail)|mark\.(skip|xfail)|skipif")
    files = [file for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__)]

    assert [file.name for file in files if marks.search(file.read_text("utf-8"))] == []
