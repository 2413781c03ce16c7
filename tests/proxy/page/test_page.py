"""The web page's files as they are served, and what they hold."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from yarl import URL

from proxy.chat.upstream import Problem
from proxy.page.handlers import FOLDER, TYPES, files
from proxy.upstreams import gate
from proxy.upstreams.site import credentials
from shared import __version__
from shared.models import Cause
from tests.proxy.page.error_codes import error_codes
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VENDOR = FOLDER / "vendor"
OWN = sorted(path for path in FOLDER.glob("*") if path.is_file())
MAX_LINES = 200
WORDS = {f"{language}{part}.js" for language in ("en", "zh") for part in ("", "-admin", "-reasons")}
TEXT = re.compile(r'^  "([^"]+)": "(.+)",$', re.MULTILINE)


def texts(language: str) -> dict[str, str]:
    """The dictionary of *language*, of both its files: what all see, and what administrators do."""
    return dict(TEXT.findall("".join((FOLDER / name).read_text("utf-8") for name in dictionaries(language))))


def dictionaries(language: str) -> tuple[str, str]:
    """The files of the dictionary of *language*."""
    return f"{language}.js", f"{language}-admin.js"


async def test_browsers_get_the_page_and_all_others_what_this_is(proxy: RunningProxy) -> None:
    async with proxy.http.get(proxy.url, headers=BROWSER) as page:
        assert (page.status, page.content_type) == (200, "text/html")
        assert "/assets/main.js" in await page.text()
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        async with proxy.http.get(proxy.url, headers=headers) as response:
            assert (await response.json())["version"] == __version__
            assert response.headers["Vary"] == "Accept"


async def test_its_files_are_open_to_all_and_nothing_else_is(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key="secret") as proxy:
        for name, file in files().items():
            async with proxy.http.get(f"{proxy.url}/assets/{name}") as response:
                assert (response.status, response.content_type) == (200, file.kind), name
                assert await response.read() == (FOLDER / name).read_bytes()
        for path, status in (
            ("/assets/nothing.js", 404),
            ("/assets/../handlers/page.py", 404),
            ("/assets/%2e%2e/handlers/page.py", 404),
            ("/assets/vendor/README.md", 404),
            ("/assets/", 404),
            ("/assets", 401),
        ):
            async with proxy.http.get(URL(proxy.url + path, encoded=True)) as response:
                assert response.status == status, path
        async with proxy.http.get(proxy.url, headers=BROWSER) as page:
            assert page.status == 200


async def test_a_strict_policy_stands_over_all_of_it(proxy: RunningProxy) -> None:
    for path in ("/", "/assets/main.js", "/assets/vendor/marked.js"):
        async with proxy.http.get(proxy.url + path, headers=BROWSER) as response:
            policy = dict(rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; "))
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-cache"
        assert policy.pop("img-src") == "'self' data: blob:"
        assert policy.pop("require-trusted-types-for") == "'script'"
        assert policy.pop("trusted-types") == "dompurify"
        assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
        assert policy == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")


async def test_what_a_browser_has_already_is_not_sent_again(proxy: RunningProxy) -> None:
    url = f"{proxy.url}/assets/base.css"
    async with proxy.http.get(url) as first:
        tag = first.headers["ETag"]
        assert first.headers["Content-Encoding"] == "gzip"
        assert int(first.headers["Content-Length"]) < len(await first.read())
    async with proxy.http.get(url, headers={"If-None-Match": f'"other", {tag}'}) as again:
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    async with proxy.http.get(url, headers={"If-None-Match": '"other"', "Accept-Encoding": "identity"}) as plain:
        assert (plain.status, "Content-Encoding" in plain.headers) == (200, False)
        assert len(await plain.read()) == int(plain.headers["Content-Length"])


def test_the_libraries_are_the_recorded_ones_each_with_its_licence() -> None:
    rows = re.findall(
        r"^\| (\S+) \| \S+ \| [0-9.]+ \| `\S+` \| .+, (\S+\.LICENSE) \| `([0-9a-f]{64})` \|$",
        (VENDOR / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )

    recorded = {name: digest for name, _, digest in rows}
    assert recorded == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path.suffix in TYPES
    }
    assert {licence for _, licence, _ in rows} == {path.name for path in VENDOR.glob("*.LICENSE")}


def test_every_text_is_there_in_both_languages() -> None:
    english, chinese = texts("en"), texts("zh")

    assert len(english) > 100
    assert list(english) == list(chinese)
    for name, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[name])), name
    for language in ("en", "zh"):
        lines = [line for name in dictionaries(language) for line in (FOLDER / name).read_text("utf-8").splitlines()]
        assert len([line for line in lines if line.startswith("  ")]) == len(english), "a text not seen here, or twice"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_error_of_the_proxy_and_every_cause_of_a_visits_failure_has_its_words(language: str) -> None:
    words = dict(TEXT.findall((FOLDER / f"{language}-reasons.js").read_text("utf-8")))

    assert set(words) == error_codes() | {f"visit.{cause}" for cause in Cause}
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in words.values()) is (language == "zh")


def test_every_reason_why_a_site_is_not_ready_has_its_words() -> None:
    values = (value for module in (gate, credentials) for value in vars(module).values())
    codes = {value.code for value in values if isinstance(value, Problem)}

    words = {name.removeprefix("dash.reason.") for name in texts("en") if name.startswith("dash.reason.")}
    assert words == codes | {"server"}
    assert len(codes) == 4


def test_no_text_is_left_over() -> None:
    scripts = "".join(path.read_text("utf-8") for path in OWN if path.suffix == ".js" and path.name not in WORDS)
    prefixes = tuple(re.findall(r"`([a-z.]+\.)\$\{", scripts))  # names put together of a beginning and a value
    built = ("chart.by.", "chart.span.")  # of a choice and its values

    left = {name for name in texts("en") if f'"{name}"' not in scripts and not name.startswith((*prefixes, *built))}
    assert left == set()


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_files_are_short_and_hold_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")

    assert text.count("\n") <= MAX_LINES
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
