"""`freeaichat backup` and `restore` beside a running proxy."""

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.cli.processes import clean_environment
from tests.cli.test_commands import CommandLine
from tests.proxy.running import running_proxy
from tests.shared.store.sqlite_files import mode
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("measured")


async def test_what_was_deleted_since_the_backup_is_back_while_the_proxy_runs(tmp_path: Path) -> None:
    async with (
        SimulatedSite() as site,
        running_proxy(site, tmp_path / "data") as proxy,
        aiohttp.ClientSession(proxy.url) as http,
    ):
        port = urlsplit(proxy.url).port or 0
        freeaichat = CommandLine(clean_environment(tmp_path / "data", site.url, port), tmp_path)
        async with http.post("/v1/conversations", json={}) as answer:
            name = (await answer.json())["id"]

        saved = await freeaichat("backup", "copy.db")
        async with http.delete(f"/v1/conversations/{name}") as answer:
            assert answer.status == 200
        refused = await freeaichat("restore", "copy.db")
        restored = await freeaichat("restore", "copy.db", "--replace")

        async with http.get(f"/v1/conversations/{name}") as answer:
            assert answer.status == 200
        turn = {"model": "gpt-4o-mini-helper", "conversation_id": name, "messages": [{"role": "user", "content": "hi"}]}
        async with http.post("/v1/chat/completions", json=turn) as answer:
            assert answer.status == 200, await answer.text()

    assert (saved.code, saved.errors) == (0, "")
    assert mode(tmp_path / "copy.db") == 0o600
    assert refused.code == 1
    assert "--replace" in refused.errors
    assert (restored.code, restored.errors) == (0, "")


async def test_a_backup_replaces_a_file_only_when_told_and_never_the_store(tmp_path: Path) -> None:
    freeaichat = CommandLine(clean_environment(tmp_path / "data", "http://127.0.0.1:1/", 1), tmp_path)
    missing = await freeaichat("backup", "copy.db")
    await freeaichat("status")  # makes the store

    first = await freeaichat("backup", "copy.db")
    second = await freeaichat("backup", "copy.db")
    third = await freeaichat("backup", "copy.db", "--replace")
    itself = await freeaichat("backup", "data/freeaichat.db", "--replace")

    assert missing.code == 1
    assert "no store" in missing.errors
    assert [first.code, second.code, third.code] == [0, 1, 0]
    assert "--replace" in second.errors
    assert itself.code == 1
    assert "is the store itself" in itself.errors


@pytest.mark.parametrize("command", ["backup", "restore"])
async def test_for_a_redis_store_it_is_said_what_to_do_instead(tmp_path: Path, command: str) -> None:
    environment = clean_environment(tmp_path / "data", "http://127.0.0.1:1/", 1)
    environment["FREEAICHAT_STORE"] = "redis://:secret@127.0.0.1:6379/0"

    result = await CommandLine(environment, tmp_path)(command, "copy.db")

    assert result.code == 2
    assert all(part in result.errors for part in ("redis-cli --rdb", "--appendonly no"))
    assert "secret" not in result.errors
