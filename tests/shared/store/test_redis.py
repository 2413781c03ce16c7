"""The store in Redis: connecting, foreign data, and errors."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from shared.store import (
    KEPT_SCREENSHOTS,
    KEPT_VISITS,
    Store,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
    open_store,
    store_url,
)
from shared.store.redis.schema import VERSION
from tests.ports import a_free_port
from tests.redis_server import RedisServer, running_redis
from tests.shared.poll_counter import PollCounter
from tests.shared.samples import SITE, capture, conversation, note, texts_of, turn, visit

SCHEMA = "{freeaichat}:schema"


async def _fill(store: Store) -> None:
    await store.save_capture(capture(), base=0)
    await store.ask_visit(SITE, "refused", at=1.0)
    await store.begin_visit(SITE, "one", at=1.0, ttl=60.0)
    await store.end_visit(visit(1, at=0.0), "two", screenshot=b"png")
    await store.create_conversation(conversation("conv-1", "one"))
    await store.add_copies([("history", note(), 1.0)])
    await store.set_note("a", "1")


async def test_all_keys_lie_in_one_slot_and_under_one_prefix(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await _fill(store)
    keys = redis_server.command("KEYS", "*")
    assert isinstance(keys, list)
    assert len(keys) > 10
    assert all(key.startswith(b"{freeaichat}:") for key in keys)


async def test_deleted_and_pruned_conversations_and_taken_copies_leave_no_key(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        await store.create_conversation(conversation("conv-2", "two"))
        await store.add_copies([("history", note(), 1.0), ("another", note(), 1.0)])
        await store.delete_conversation("conv-1")
        await store.take_copy("history")
        dated = [redis_server.command("ZCARD", f"{{freeaichat}}:{name}") for name in ("conversations", "branches")]
        assert dated == [1, 1]
        await store.prune(before=10.0**10, max_bytes=0)
    counted = redis_server.command("GET", "{freeaichat}:conversation-bytes")
    keys = redis_server.command("KEYS", "*")
    assert counted == b"0"
    assert isinstance(keys, list)
    assert sorted(key for key in keys if redis_server.command("TTL", key) == -1) == [
        b"{freeaichat}:branch-number",
        b"{freeaichat}:conversation-bytes",
        SCHEMA.encode(),
    ]


async def test_nothing_stays_of_visits_that_are_not_kept(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        for number in range(KEPT_VISITS + 10):
            await store.end_visit(visit(number), "one", screenshot=b"png")
    assert redis_server.command("LLEN", "{freeaichat}:visits") == KEPT_VISITS
    assert redis_server.command("HLEN", "{freeaichat}:visit-records") == KEPT_VISITS
    assert redis_server.command("HLEN", "{freeaichat}:screenshots") == KEPT_SCREENSHOTS


async def test_requests_of_a_limited_key_that_count_no_more_are_dropped(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        for at in (1000.0, 1100.0, 900.0):  # at last the clock was set back
            await store.admit_requests("key-1", at=at, rpm=None, tpd=None)
            assert redis_server.command("HLEN", "{freeaichat}:key-requests:key-1") == 1


async def test_databases_are_kept_apart_and_so_are_their_watchers(
    redis_server: RedisServer, polls: PollCounter
) -> None:
    async with open_store(redis_server.url + "1") as one, open_store(f"{redis_server.url}?db=2") as two:
        changes = two.watch()
        await anext(changes)
        waiting = asyncio.create_task(anext(changes))
        await one.set_note("a", "1")
        assert await two.get_note("a") is None
        await polls.wait_for_two()
        assert not waiting.done()
        await two.set_note("a", "2")
        await asyncio.wait_for(waiting, 1.0)


async def test_a_unix_socket_leads_to_the_same_store(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as one, open_store(f"unix://{redis_server.socket}") as two:
        changes = two.watch()
        await anext(changes)
        await one.set_note("a", "1")
        await asyncio.wait_for(anext(changes), 1.0)
        assert await two.get_note("a") == "1"
        await changes.aclose()


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    name, key = directory / "cert.pem", directory / "key.pem"
    command = (
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(name), "-days", "1", "-subj", "/CN=redis"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
    )
    subprocess.run(command, check=True, capture_output=True)
    return name, key


async def test_tls_is_used_and_a_certificate_of_strangers_is_refused(tmp_path: Path, free_port: int) -> None:
    name, key = _certificate(tmp_path)
    tls_port = a_free_port()
    options = ("--tls-port", str(tls_port), "--tls-cert-file", str(name), "--tls-key-file", str(key))
    with running_redis(tmp_path / "redis", free_port, *options, "--tls-auth-clients", "no"):
        async with open_store(f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={name}") as store:
            await store.set_note("a", "1")
            changes = store.watch()
            await anext(changes)
            await store.set_note("a", "2")
            await asyncio.wait_for(anext(changes), 1.0)
            await changes.aclose()
        with pytest.raises(StoreUnavailable, match="certificate"):
            async with open_store(f"rediss://127.0.0.1:{tls_port}"):
                pass


async def test_options_in_the_url_cannot_break_what_is_read(redis_server: RedisServer) -> None:
    async with open_store(f"{redis_server.url}?decode_responses=True&protocol=3") as store:
        await _fill(store)
        changes = store.watch()
        await anext(changes)
        await store.set_note("a", "2")
        await asyncio.wait_for(anext(changes), 1.0)
        assert await store.screenshot("visit-1") == b"png"
        assert texts_of(await store.conversation("conv-1")) == ["one"]
        await changes.aclose()


async def test_scripts_that_redis_forgot_are_loaded_again(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await store.set_note("a", "1")
        redis_server.command("SCRIPT", "FLUSH")
        await store.set_note("a", "2")
        assert await store.get_note("a") == "2"


async def test_what_a_newer_version_wrote_is_left_alone(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await store.set_note("a", "1")
        redis_server.command("SET", SCHEMA, VERSION + 1)
        for refused in (store.get_note("a"), store.set_note("a", "2")):
            with pytest.raises(StoreTooNew):
                await refused
    with pytest.raises(StoreTooNew, match=rf"{redis_server.port}.*{VERSION + 1}.*[Uu]pdate"):
        async with open_store(redis_server.url):
            pass
    assert redis_server.command("HGET", "{freeaichat}:notes", "a") == b"1"


@pytest.mark.parametrize("spoil", [("SET", SCHEMA, "theirs"), ("LPUSH", SCHEMA, "theirs")])
async def test_keys_of_another_program_are_refused(redis_server: RedisServer, spoil: tuple[str, ...]) -> None:
    redis_server.command(*spoil)
    before = redis_server.command("DUMP", SCHEMA)
    with pytest.raises(StoreCorrupt, match="other data"):
        async with open_store(redis_server.url):
            pass
    assert redis_server.command("DUMP", SCHEMA) == before


async def test_a_value_that_cannot_be_read_is_reported_without_showing_it(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await store.save_capture(capture(), base=0)
        redis_server.command("HSET", f"{{freeaichat}}:site:{SITE}", "current", '{"cookie": "hush"}')
        with pytest.raises(StoreCorrupt, match="Credentials") as refused:
            await store.site_state(SITE)
        assert "hush" not in str(refused.value)


async def test_a_user_who_may_not_write_is_told_what_to_allow(redis_server: RedisServer) -> None:
    allowed = ("~{freeaichat}:*", "&{freeaichat}:*", "+@all")
    for rules in (("~other:*", "&*", "+@all"), ("~*", "resetchannels", "+@all"), ("~*", "&*", "+@all", "-publish")):
        redis_server.command("ACL", "SETUSER", "gateway", "reset", "on", ">pw", *rules)
        with pytest.raises(StoreUnavailable) as refused:
            async with open_store(f"redis://gateway:pw@127.0.0.1:{redis_server.port}"):
                pass
        assert all(word in str(refused.value) for word in allowed)

    redis_server.command("ACL", "SETUSER", "gateway", "reset", "on", ">pw", *allowed)
    async with open_store(f"redis://gateway:pw@127.0.0.1:{redis_server.port}") as store:
        await _fill(store)
        changes = store.watch()
        await anext(changes)
        await changes.aclose()
    redis_server.command("ACL", "DELUSER", "gateway")


async def test_a_password_that_is_asked_for_later_is_reported_whatever_is_called(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        with redis.Redis(port=own_redis.port) as administrator:
            administrator.config_set("requirepass", "sesame")
            administrator.execute_command("CLIENT", "KILL", "TYPE", "normal")
        for call in (store.get_note("a"), store.create_conversation(conversation("conv-1", "one"))):
            with pytest.raises(StoreUnavailable, match="password in FREEAICHAT_STORE"):
                await call


async def test_full_memory_is_reported_and_nothing_half_written_stays(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        own_redis.command("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(StoreUnavailable, match="memory"):
            await store.commit_turn("conv-1", turn("t1", "two"))
        assert await store.conversation("conv-1") == conversation("conv-1", "one")
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        assert await store.commit_turn("conv-1", turn("t1", "two"))


async def test_a_replica_takes_no_writes_and_the_store_goes_on_when_it_is_promoted(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        await store.set_note("a", "1")
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        assert await store.get_note("a") == "1"
        with pytest.raises(StoreUnavailable, match="primary"):
            await store.set_note("a", "2")
        own_redis.command("REPLICAOF", "NO", "ONE")
        await store.set_note("a", "2")
        assert await store.get_note("a") == "2"


async def test_a_cluster_serves_from_the_machine_that_keeps_the_slot_and_the_others_say_so(
    tmp_path: Path, free_port: int
) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(a_free_port()))
    with running_redis(tmp_path / "redis", free_port, *options) as server:
        with pytest.raises(StoreUnavailable, match="cluster"):
            async with open_store(server.url):
                pass
        server.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with open_store(server.url, startup_timeout=10.0) as store:
            await _fill(store)
            await store.commit_turn("conv-1", turn("t1", "two"))
            await store.prune(before=10.0**10, max_bytes=0)
            assert await store.conversation("conv-1") is None


def test_redis_is_imported_only_where_it_is_used() -> None:
    code = (
        "import sys, proxy.app, proxy.service, harvester.service.run\n"
        "import shared.cli.doctor.store, shared.cli.status, shared.store.sqlite.store\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'redis'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("sqlite:////var/lib/store.db", "sqlite:////var/lib/store.db"),
        ("redis://host", "redis://host"),
        ("rediss://someone:hush@host:6380/3?password=hush", "rediss://***@host:6380/3"),
        ("redis://:hu@sh@host/", "redis://***@host/"),
        ("unix://hush@/run/redis.sock?db=1&password=hush", "unix://***@/run/redis.sock"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, seen: str) -> None:
    assert store_url.redacted_url(url) == seen
