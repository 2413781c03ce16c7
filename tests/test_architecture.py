"""Every file keeps the import rules of its package; and the checks find violations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import MAX_LINES, import_cycle, product_problems, suite_problems, text_problems

ROOT = Path(__file__).parents[1]
TEXTS = {".py", ".js", ".mjs", ".md", ".toml", ".txt", ".yml", ".yaml", ".sh"}


def files(*directories: str) -> Iterator[tuple[str, str]]:
    """The path from the root and the text of every text file in *directories*, which must not be empty."""
    for directory in directories:
        every = sorted((ROOT / directory).rglob("*"))
        found = [file for file in every if file.suffix in TEXTS and "node_modules" not in file.parts]
        assert found, f"nothing to check in {directory}"
        yield from ((file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) for file in found)


def test_every_product_file_imports_only_what_its_package_may() -> None:
    sources = [(path, text) for path, text in files("harvester", "proxy", "shared") if path.endswith(".py")]

    assert [problem for path, text in sources for problem in product_problems(path, text)] == []


def test_no_imports_go_round_in_a_circle() -> None:
    """Or which module is imported first decides whether it can be."""
    sources = {path: text for path, text in files("harvester", "proxy", "shared") if path.endswith(".py")}

    assert import_cycle(sources) == []


@pytest.mark.parametrize(
    ("sources", "cycle"),
    [
        ({"a.py": "import b", "b.py": "from a import x"}, {"a", "b"}),
        ({"p/__init__.py": "from q import one", "p/x.py": "", "q.py": "from p.x import y"}, {"p", "q"}),
        ({"a.py": "try:\n    import b\nexcept ImportError:\n    pass", "b.py": "import a"}, {"a", "b"}),
        ({"a.py": "import b", "b.py": "def f():\n    import a"}, set()),
        ({"a.py": "import b", "b.py": "if TYPE_CHECKING:\n    import a"}, set()),
        ({"p/__init__.py": "from p import x", "p/x.py": "from p import y", "p/y.py": ""}, set()),
    ],
)
def test_a_circle_of_imports_is_found(sources: dict[str, str], cycle: set[str]) -> None:
    assert set(import_cycle(sources)) == cycle


def test_only_modules_that_join_packages_are_at_the_top_of_the_proxy() -> None:
    loose = {file.name for file in (ROOT / "proxy").glob("*.py")}

    assert loose == {"__init__.py", "__main__.py", "app.py", "service.py"}


def test_no_test_can_be_skipped() -> None:
    sources = [(path, text) for path, text in files("tests") if path.endswith(".py")]

    assert [problem for path, text in sources for problem in suite_problems(path, text)] == []


def test_no_file_is_too_long_or_names_a_path_of_one_machine() -> None:
    top = [(file.name, file.read_text("utf-8")) for file in ROOT.iterdir() if file.is_file() and file.suffix in TEXTS]
    texts = [*top, *files("harvester", "proxy", "shared", "tests"), (".ci/run", (ROOT / ".ci/run").read_text("utf-8"))]

    assert [problem for path, text in texts for problem in text_problems(path, text)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("shared/x.py", "import proxy.app"),
        ("shared/x.py", "from harvester import service"),
        ("shared/cli/x.py", "from harvester.service.run import run"),
        ("harvester/x.py", "def f():\n    from proxy import app"),
        ("proxy/x.py", "import harvester"),
        ("proxy/x.py", "from tests.site import SimulatedSite"),
        ("proxy/handlers/x.py", "from ..app import create_app"),
        ("harvester/service/x.py", "from harvester.visit.tab import Tab"),
        ("harvester/visit/x.py", "from harvester.service.visit_processes import VisitProcesses"),
        ("harvester/visit/x.py", "from shared.plugins.aipkit.page import read_configs"),
        ("harvester/visit/plugins/other.py", "from shared.plugins.aipkit.nonce import nonce_request"),
        ("harvester/x.py", "from playwright.async_api import async_playwright"),
        ("shared/x.py", "import playwright"),
        ("harvester/x.py", "import apscheduler.schedulers.asyncio"),
        ("harvester/x.py", "import aiohttp"),
        ("shared/cli/x.py", "from aiohttp import ClientSession"),
        ("proxy/x.py", "import aiohttp\nsession = aiohttp.ClientSession()"),
        ("proxy/x.py", "from aiohttp import ClientSession"),
        ("proxy/x.py", "from aiohttp.client import request"),
        ("proxy/x.py", "import sqlite3"),
        ("shared/store/redis/x.py", "import sqlite3"),
        ("shared/store/x.py", "import redis.asyncio"),
        ("shared/store/sqlite/x.py", "from shared.store.redis import schema"),
        ("shared/store/redis/x.py", "from shared.store.sqlite.worker import Part"),
        ("proxy/chat/history.py", "import asyncio"),
        ("proxy/chat/history.py", "from time import time"),
        ("proxy/upstreams/aipkit/reader.py", "import os, json"),
        ("proxy/api/chat_completions/request.py", "from urllib.request import urlopen"),
        ("proxy/upstreams/aipkit/requests.py", "from shared.site_client.client import SiteClient"),
        ("proxy/chat/x.py", "from proxy.upstreams.aipkit.site import AipkitSite"),
        ("proxy/chat/x.py", "from proxy.api.rendering import json_response"),
        ("proxy/chat/x.py", "from aiohttp import web"),
        ("proxy/upstreams/x.py", "from proxy.server.bodies import read_body"),
        ("proxy/api/x.py", "from proxy.upstreams.gate import Gate"),
        ("proxy/upstreams/site/x.py", "from proxy.upstreams.aipkit.site import AipkitSite"),
        ("proxy/upstreams/ai_engine/x.py", "from proxy.upstreams.aipkit.attempt import Attempt"),
        ("shared/plugins/ai_engine/x.py", "from shared.plugins.aipkit.page import read_configs"),
        ("proxy/usage/x.py", "from proxy.upstreams.breaker import Breaker"),
        ("shared/plugins/aipkit/x.py", "from shared.store import Store"),
        ("shared/plugins/x.py", "from random import choice"),
        ("proxy/x.py", "import os\nos.environ['A']"),
        ("harvester/x.py", "from os import environ"),
        ("shared/settings/reader.py", "import os\nos.getenv('A')"),
    ],
)
def test_a_forbidden_import_in_the_product_is_found(path: str, source: str) -> None:
    assert product_problems(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("harvester/visit/browser.py", "from playwright.async_api import async_playwright"),
        ("harvester/visit/plugins/aipkit.py", "from shared.plugins.aipkit.page import read_configs"),
        ("harvester/service/schedule.py", "from apscheduler.schedulers.asyncio import AsyncIOScheduler"),
        ("proxy/api/images/download.py", "import aiohttp\naiohttp.ClientSession()"),
        ("proxy/app.py", "from aiohttp import ClientConnectionResetError, web\nweb.Application()"),
        ("proxy/chat/history.py", "from urllib.parse import urlencode\nfrom shared import parsing\nimport orjson"),
        ("shared/settings/reader.py", "import os\nos.environ.get('A')"),
        ("shared/store/sqlite/x.py", "import sqlite3"),
        ("shared/store/redis/x.py", "from redis.asyncio.client import PubSub"),
    ],
)
def test_an_allowed_import_is_accepted(path: str, source: str) -> None:
    assert product_problems(path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\n@pytest.mark.skip\ndef test_x(): ...",
        "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_x(): ...",
        "import pytest\npytestmark = pytest.mark.xfail",
        "import pytest\ndef test_x():\n    pytest.skip('x')",
        "import pytest\npytest.importorskip('redis')",
        "from pytest import skip",
        "from unittest import SkipTest",
    ],
)
def test_a_test_that_may_not_run_is_found(source: str) -> None:
    assert suite_problems("tests/test_x.py", source)


@pytest.mark.parametrize("source", ["x = '/{}/somewhere'", "# see /{}/x", "open('/{}/A')"])
@pytest.mark.parametrize("directory", ["work", "root", "home", "tmp"])
def test_a_path_of_one_machine_is_found(source: str, directory: str) -> None:
    text = source.format(directory)

    assert text_problems("proxy/x.py", text)
    assert text_problems("README.md", text)


@pytest.mark.parametrize("text", ["https://site.example/home/x", "tests/tmp/x", "$HOME/.cache", "a /tmp directory"])
def test_a_path_that_only_looks_alike_is_left_alone(text: str) -> None:
    assert text_problems("README.md", text) == []


def test_a_file_that_is_too_long_is_found() -> None:
    assert text_problems("proxy/x.py", "a = 1\n" * (MAX_LINES + 1))
    assert text_problems("proxy/x.py", "a = 1\n" * MAX_LINES) == []
