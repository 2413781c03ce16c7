"""What all tests share: a guard against leaving this machine, and a free port."""

import gc
import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from shared.site_client import tls
from tests.certificates import Authorities, make_authorities
from tests.ports import a_free_port
from tests.redis_server import RedisServer, running_redis

LOCAL_NAMES = ("localhost", "")
ADDRESS_AT = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}

HERE = Path(__file__).parent
# What these run of the product in their own process, others run too.
UNMEASURED = ("page", "site_checks", "test_architecture.py")

refused: list[str] = []
begun: dict[Path, str] = {}  # the first test of each file


class LeavesThisMachine(RuntimeError):
    """A test, or the code it runs in this process, tried to reach another machine."""


def is_here(host: str | bytes | None) -> bool:
    """Whether *host*, a name or an address, is this machine for certain, without asking anyone."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    try:
        address = ip_address(name)
    except ValueError:
        return name.lower() in LOCAL_NAMES
    return address.is_loopback or address.is_unspecified


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what leaves this machine before the system sees it; told by the interpreter's audit events."""
    position = ADDRESS_AT.get(event)
    if position is None:
        return
    target = arguments[position]
    host = target[0] if isinstance(target, tuple) else target
    if event != "socket.getaddrinfo" and not isinstance(target, tuple):
        return  # a Unix socket's path, or a socket that is connected already
    if not is_here(host):
        refused.append(f"{event} to {host!r}")
        raise LeavesThisMachine(refused[-1])


sys.addaudithook(guard)
# How long one example takes says how busy the machine is; what must be quick is measured by tests of its own.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where one mark is asked for, pass over the files without it: to read all takes each process some ten seconds."""
    mark = config.getoption("markexpr")
    if mark not in ("alone", "busy") or collection_path.suffix != ".py":
        return None
    return f"mark.{mark}" not in collection_path.read_text() or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected lives to the end: the garbage collector looks at it once, and not again with each test. Of what
    runs meanwhile, only the product's modules are measured: to read the tests takes twice as long else."""
    gc.disable()
    if sys.gettrace() is not None:
        import_product()
    try:
        with measuring(is_wanted=False):
            return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def import_product() -> None:
    """Import each module of the product that is no program."""
    for name in ("harvester", "proxy", "shared"):
        for module in pkgutil.walk_packages([str(HERE.parent / name)], f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


@contextmanager
def measuring(is_wanted: bool) -> Iterator[None]:
    """Measure what this process covers meanwhile only if it *is wanted*: that takes as long again as to run it."""
    tracing = sys.gettrace()
    if not is_wanted:
        sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracing)


def is_first(item: pytest.Item) -> bool:
    """Whether *item* is the first of its file that this process runs."""
    return begun.setdefault(item.path, item.nodeid) == item.nodeid


def is_unmeasured(item: pytest.Item) -> bool:
    """Whether *item* asks that nothing be measured, or is in a place that does."""
    is_in_place = any(item.path.is_relative_to(HERE / place) for place in UNMEASURED)
    return is_in_place or "unmeasured" in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Measure what the fixtures of a file cover once: they start the same proxy and site for each of its tests."""
    with measuring(is_first(item) and not is_unmeasured(item)):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure what the test itself covers."""
    with measuring(not is_unmeasured(item)):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Measure once, as with the setup."""
    with measuring(is_first(item) and not is_unmeasured(item)):
        return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name what failed at once: a run that is ended from outside never comes to its summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nfailed: {report.nodeid} ({report.when}, {report.duration:.1f} s)", file=sys.__stderr__, flush=True)


@pytest.fixture(autouse=True)
def stays_on_this_machine() -> Iterator[None]:
    """Fail a test that tried to leave this machine, also where the code it tests made something else of the refusal."""
    refused.clear()
    yield
    assert refused == [], "this test tried to leave this machine"


@pytest.fixture(autouse=True)
def programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a test starts warn as in development mode, without its slow event loop. What they cover is not
    measured, which takes a third of their time, unless a test asks for it."""
    if os.environ.get("PYTHONDEVMODE"):
        monkeypatch.delenv("PYTHONDEVMODE")
        monkeypatch.setenv("PYTHONWARNINGS", "default")
    if "measured" not in request.fixturenames:
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def measured() -> None:
    """Asks that what child processes cover be measured: for what no test runs in its own process."""


@pytest.fixture
def unmeasured() -> None:
    """Asks that what a test covers in this process not be measured: for those that run the same lines thousands of
    times, which would take three times as long."""


@pytest.fixture
def as_users_run_it(programs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes run without coverage and warnings, so that their memory and speed can be measured."""
    for name in ("COVERAGE_PROCESS_CONFIG", "PYTHONWARNINGS", "PYTHONMALLOC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def as_from_a_terminal() -> Iterator[None]:
    """Child processes hear Ctrl-C and hang-ups; those of a shell's background jobs, or of nohup, are started deaf."""
    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL))
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    return a_free_port()


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """A certificate authority that nobody trusts."""
    return make_authorities(tmp_path_factory.mktemp("authorities"))


@pytest.fixture
def trusted(authorities: Authorities, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authorities]:
    """The same, trusted by all but the browser, here and in child processes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities.root))
    tls.context.cache_clear()
    yield authorities
    tls.context.cache_clear()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests that only use it."""
    with running_redis(tmp_path_factory.mktemp("redis"), a_free_port()) as server:
        yield server


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """An empty Redis that must not be stopped or paused."""
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def own_redis(tmp_path: Path, free_port: int) -> Iterator[RedisServer]:
    """An empty Redis of the test's own that keeps what it is told over its restarts, to do with as one pleases."""
    with running_redis(tmp_path / "redis", free_port, "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server
