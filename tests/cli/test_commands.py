"""The commands that use the running proxy or the store, as processes, in front of the simulated site."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.store.redis.schema import VERSION
from tests.cli import forked
from tests.cli.processes import clean_environment
from tests.needs import FREEAICHAT
from tests.proxy.running import RunningProxy, running_proxy
from tests.redis_server import RedisServer
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("measured")


@dataclass
class CommandResult:
    """How a command ended."""

    code: int
    output: str
    errors: str


class CommandLine:
    """`freeaichat` with the settings of one test."""

    def __init__(self, environment: dict[str, str], cwd: Path) -> None:
        self.environment = environment
        self._cwd = cwd

    async def __call__(self, *args: str) -> CommandResult:
        ended = await asyncio.to_thread(forked.run, *args, environment=self.environment, cwd=self._cwd)
        return CommandResult(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """The site, with its default bots."""
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy whose store holds credentials of the site."""
    async with running_proxy(site, tmp_path / "data") as running:
        yield running


@pytest.fixture
def online(proxy: RunningProxy, site: SimulatedSite, tmp_path: Path) -> CommandLine:
    """The command line beside the running proxy, with its settings."""
    port = urlsplit(proxy.url).port or 0
    return CommandLine(clean_environment(tmp_path / "data", site.url, port), tmp_path)


@pytest.fixture
def offline(site: SimulatedSite, tmp_path: Path, free_port: int) -> CommandLine:
    """The command line where nothing runs and nothing was captured."""
    return CommandLine(clean_environment(tmp_path / "alone", site.url, free_port), tmp_path)


async def test_models_lists_what_the_proxy_offers(online: CommandLine, proxy: RunningProxy) -> None:
    offered = [model.id async for model in proxy.openai.models.list()]

    listed = await online("models")
    as_json = await online("models", "--json")

    assert listed.code == 0, listed.errors
    assert [line.split()[0] for line in listed.output.splitlines()] == offered
    assert [model["id"] for model in json.loads(as_json.output)["data"]] == offered


async def test_models_and_status_tell_what_would_not_be_answered_now(
    online: CommandLine, proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.stream_error = site.behaviour.quota_text
    assert (await proxy.chat("hello")).status == 429

    listed = await online("models")

    states = {line.split()[0]: line.split()[-1] for line in listed.output.splitlines()}
    assert states["gpt-4o-mini-helper"] == "cooldown"
    assert states["vision-bot-视觉"] != "cooldown"
    shown = (await online("status")).output
    assert re.search(r"cooldown \(.*\): other sites come first for \d+ (s|min|h)", shown)


async def test_chat_prints_the_streamed_answer(online: CommandLine) -> None:
    result = await online("chat", "Hello 世界")

    assert result.code == 0, result.errors
    assert "Hello 世界" in result.output
    assert result.output.endswith("\n")


async def test_chat_with_an_unknown_model_says_so_and_exits_1(online: CommandLine) -> None:
    result = await online("chat", "hi", "-m", "no-such-model")

    assert result.code == 1
    assert "no-such-model" in result.errors
    assert result.errors.rstrip().endswith("(HTTP 404); `freeaichat models` lists the models")


async def test_chat_with_an_unknown_conversation_says_so_and_exits_1(online: CommandLine) -> None:
    result = await online("chat", "hi", "--conversation", "none")

    assert result.code == 1
    assert result.errors.rstrip().endswith("(HTTP 404); without --continue and --conversation a new one begins")


def test_output_that_a_full_disk_does_not_take_is_reported_in_a_line(tmp_path: Path, free_port: int) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [FREEAICHAT, "status"],
            env=clean_environment(tmp_path, "http://127.0.0.1:1/", free_port),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert result.returncode == 1
    assert result.stderr == "freeaichat: this cannot be written: No space left on device\n"


async def test_a_terminal_of_few_characters_gets_the_answer_with_replacements(online: CommandLine) -> None:
    online.environment["PYTHONIOENCODING"] = "koi8-r"

    result = await online("chat", "hi")

    assert (result.code, result.errors) == (0, "")
    assert "You said: hi\n??,??! ??" in result.output


async def test_chat_uses_the_key_of_the_settings(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path / "data", key="a key") as proxy:
        environment = clean_environment(tmp_path / "data", site.url, urlsplit(proxy.url).port or 0)
        refused = await CommandLine(environment, tmp_path)("chat", "hi")
        served = await CommandLine(environment | {"FREEAICHAT_API_KEY": "a key"}, tmp_path)("chat", "hi")

    assert refused.code == 1
    assert "key" in refused.errors
    assert served.code == 0, served.errors


@pytest.mark.parametrize("args", [("models",), ("chat", "hi")])
async def test_without_a_proxy_it_is_said_how_to_start_it(offline: CommandLine, args: tuple[str, ...]) -> None:
    result = await offline(*args)

    assert result.code == 1
    assert "freeaichat up" in result.errors
    assert "set FREEAICHAT_PORT here too" in result.errors


async def test_a_bad_setting_is_explained_with_exit_code_2(offline: CommandLine) -> None:
    offline.environment["FREEAICHAT_PORT"] = "many"

    for args in (("status",), ("doctor",), ("up",), ("models",), ("proxy",)):
        result = await offline(*args)
        assert (result.code, "FREEAICHAT_PORT" in result.errors) == (2, True), args


async def test_a_store_that_is_none_is_reported_with_exit_code_2(offline: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is not a database, whatever its name says\n" * 100)
    offline.environment["FREEAICHAT_STORE"] = f"sqlite:///{tmp_path}/file"

    for args in (("status",), ("up",)):
        result = await offline(*args)
        assert result.code == 2, args
        assert "Traceback" not in result.errors


async def test_a_store_in_redis_is_shown_without_its_password(offline: CommandLine, redis_server: RedisServer) -> None:
    redis_server.command("ACL", "SETUSER", "gateway", "on", ">hush", "~*", "&*", "+@all")
    offline.environment["FREEAICHAT_STORE"] = f"redis://gateway:hush@127.0.0.1:{redis_server.port}/"

    status, as_json, doctor = await offline("status"), await offline("status", "--json"), await offline("doctor")
    redis_server.command("ACL", "DELUSER", "gateway")

    url = f"redis://***@127.0.0.1:{redis_server.port}/"
    assert url in status.output
    assert json.loads(as_json.output)["store"] == {"url": url, "schema": VERSION}
    assert f"ok    store        {url} opens, schema {VERSION}" in doctor.output
    assert "hush" not in status.output + as_json.output + doctor.output + status.errors + doctor.errors


async def test_a_redis_that_is_not_there_is_reported_at_once_and_how_to_fix_it(
    offline: CommandLine, free_port: int
) -> None:
    offline.environment["FREEAICHAT_STORE"] = f"redis://:hush@127.0.0.1:{free_port}/"

    status, doctor = await offline("status"), await offline("doctor")

    assert status.code == 2
    assert f"127.0.0.1:{free_port}" in status.errors
    assert "fail  store" in doctor.output
    assert "start the Redis server" in doctor.output
    for result in (status, doctor):
        assert "hush" not in result.output + result.errors
        assert "Traceback" not in result.errors


async def test_doctor_finds_nothing_wrong_beside_a_running_proxy(online: CommandLine, site: SimulatedSite) -> None:
    online.environment["FREEAICHAT_DEFAULT_MODEL"] = "nobody"
    result = await online("doctor", "--json")

    findings = {finding["name"]: finding for finding in json.loads(result.output)}
    assert [name for name, finding in findings.items() if finding["level"] == "fail"] == []
    assert "'nobody'" in findings["models"]["what"]  # a warning
    assert result.code == 0
    assert findings["site"]["what"].startswith(site.url)
    assert "the nonce is current" in findings["credentials"]["what"]
    assert "the proxy answers" in findings["port"]["what"]


async def test_doctor_exits_1_where_the_site_is_away_and_says_how_to_fix_it(
    offline: CommandLine, free_port: int
) -> None:
    offline.environment["FREEAICHAT_SITES"] = f"http://127.0.0.1:{free_port}/"

    result = await offline("doctor")

    assert result.code == 1
    assert "fail  site" in result.output
    assert "→ nothing listens at that address" in result.output


async def test_doctor_tells_of_a_site_that_went_away_after_its_visit(online: CommandLine, site: SimulatedSite) -> None:
    await site.close()

    result = await online("doctor")

    assert (result.code, "Traceback" in result.errors) == (1, False), result.errors
    assert "fail  site" in result.output
    assert "the nonce action fails: cannot connect" in result.output


async def test_doctor_tells_an_address_that_is_not_this_machines(offline: CommandLine) -> None:
    offline.environment["FREEAICHAT_HOST"] = "192.0.2.1"

    result = await offline("doctor")

    assert "fail  port" in result.output
    assert "FREEAICHAT_HOST" in result.output


async def test_doctor_tells_a_challenge(offline: CommandLine, site: SimulatedSite) -> None:
    site.behaviour.update({"page": "challenge"})

    result = await offline("doctor")

    assert "warn  site" in result.output
    assert "--headed" in result.output


async def test_the_proxy_shows_the_key_it_makes_once(offline: CommandLine, tmp_path: Path) -> None:
    """An address of another machine makes the service end by itself, after the key was made."""
    offline.environment["FREEAICHAT_HOST"] = "192.0.2.1"

    first, second = await offline("proxy"), await offline("proxy")

    key = (tmp_path / "alone" / "master.key").read_text().strip()
    assert first.output.count(key) == 1
    assert key not in second.output + first.errors + second.errors
    assert "master.key" in second.output


async def test_doctor_tells_that_the_proxy_refuses_the_key(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path / "data", key="the key of the proxy") as proxy:
        environment = clean_environment(tmp_path / "data", site.url, urlsplit(proxy.url).port or 0)
        result = await CommandLine(environment | {"FREEAICHAT_API_KEY": "the key of another"}, tmp_path)("doctor")

    assert result.code == 1
    assert re.search(
        r"fail  proxy key +the proxy .* refuses the key \(HTTP 401\)\n +→ set FREEAICHAT_API_KEY", result.output
    )
    assert re.search(r"ok +port +the proxy answers", result.output)
