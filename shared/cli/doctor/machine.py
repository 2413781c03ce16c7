"""Checks of this machine: Python, the data directory, the key, the port."""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from shlex import quote

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.cli.gateway import Gateway, GatewayUnreachable, NotTheProxy
from shared.cli.master_key import find_key
from shared.processes.ports import bind_error
from shared.secrets import KEY_FILE, is_ours
from shared.settings import Settings

MIN_FREE_BYTES = 200 * 1024**2  # the store is bounded at 512 MiB by default, and a visit's profile takes some
LEAST_TEMPORARY_BYTES = 50 * 1024**2
PROBE_SECONDS = 2.0
MIN_KEY_LENGTH = 16  # characters
_QUOTES = ("'", '"')


def check_python() -> Check:
    """Python and the system, and whether Playwright has a driver for it."""
    found = f"Python {platform.python_version()} on {platform.platform(terse=True)} {platform.machine()}"
    if platform.libc_ver()[0] == "" and sys.platform == "linux":
        return warn("python", f"{found}, not on glibc", "Playwright's driver needs glibc: use Debian, Ubuntu or Fedora")
    return ok("python", found)


def check_data_dir(directory: Path) -> Check:
    """Whether *directory* exists, is private and writable, and has free space."""
    name = "data dir"
    if not directory.exists():
        return _check_missing(name, directory)
    try:
        with tempfile.TemporaryFile(dir=directory):
            free = shutil.disk_usage(directory).free
    except OSError as error:
        # Another error is that of a disk that is full, or may only be read.
        how = f": chown {os.geteuid()} {quote(str(directory))}" if isinstance(error, PermissionError) else ""
        advice = f"mend that{how}, or set FREEAICHAT_DATA_DIR to another one"
        return fail(name, f"{directory} cannot be written ({error.strerror})", advice)
    if free < MIN_FREE_BYTES:
        return fail(name, f"{directory}: {free >> 20} MiB free", f"make room: {MIN_FREE_BYTES >> 20} MiB are needed")
    mode = directory.stat().st_mode & 0o777
    if mode & 0o077:
        own = "set FREEAICHAT_DATA_DIR to a directory of its own: this one holds other files"
        advice = f"chmod 700 {quote(str(directory))}" if is_ours(directory) else own
        return warn(name, f"{directory} can be entered by others (mode {mode:04o})", advice)
    return ok(name, f"{directory}, mode {mode:04o}, {free >> 20} MiB free")


def _check_missing(name: str, directory: Path) -> Check:
    parent = next(parent for parent in directory.absolute().parents if parent.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok(name, f"{directory} is made at the first start")
    return fail(
        name, f"{directory} is missing and cannot be made", "set FREEAICHAT_DATA_DIR to a directory of your own"
    )


def check_temporary_dir() -> Check:
    """Whether there is a temporary directory for the browser's files."""
    advice = "free some space, or set TMPDIR to another directory"
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:
        return fail("temp dir", "no temporary directory can be written to", advice)
    free = shutil.disk_usage(place).free
    if free < LEAST_TEMPORARY_BYTES:
        return warn("temp dir", f"{place}: {free >> 20} MiB free, which a visit's browser may fill", advice)
    return ok("temp dir", place)


def check_key(settings: Settings) -> Check:
    """Whether a key protects what others can reach, and is itself protected."""
    file = settings.data_dir / KEY_FILE
    try:
        key = find_key(settings)
    except OSError as error:
        advice = f"chown {os.geteuid()} {quote(str(file))}, or delete that file"
        return fail("key", f"the key file cannot be read ({error.strerror})", advice)
    if key is None and settings.is_loopback_bind:
        return ok("key", "none needed: only this machine can reach the proxy")
    if key is None:
        return warn("key", f"none yet, and others can reach {settings.host}", f"the first start makes one in {file}")
    when = "; asked for once others have keys" if settings.is_loopback_bind else ""
    return _check_characters(key.value) or (_check_key_file(key.file, when) if key.file else ok("key", key.place))


def _check_key_file(file: Path, when: str) -> Check:
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        return fail("key", f"{file} can be read by others (mode {mode:04o})", f"chmod 600 {quote(str(file))}")
    return ok("key", f"kept in {file}, mode {mode:04o}{when}")


def _check_characters(key: str) -> Check | None:
    """A finding on the characters or length of *key*, if any."""
    advice = 'FREEAICHAT_API_KEY="$(openssl rand -hex 24)"'
    if key != key.strip() or key[:1] in _QUOTES or key[-1:] in _QUOTES:
        return fail("key", "the key begins or ends with a blank or a quotation mark", f"remove it, or: {advice}")
    if len(key) < MIN_KEY_LENGTH:
        return warn("key", f"the key has {len(key)} characters: it can be guessed", f"a longer one: {advice}")
    return None


def check_key_accepted(gateway: Gateway) -> Check:
    """Whether a running proxy accepts our key."""
    try:
        gateway.readiness(timeout=PROBE_SECONDS)
        status, _ = gateway.get("/v1/models", timeout=PROBE_SECONDS)
    except (GatewayUnreachable, NotTheProxy):
        return ok("proxy key", "no proxy runs that could refuse it")
    if status in {401, 403}:
        advice = "set FREEAICHAT_API_KEY or FREEAICHAT_DATA_DIR here as for the proxy, or start the proxy again"
        return fail("proxy key", f"the proxy at {gateway.base_url} refuses the key (HTTP {status})", advice)
    return ok("proxy key", f"the proxy at {gateway.base_url} does not refuse it")


def check_port(settings: Settings, gateway: Gateway) -> Check:
    """Whether our port is free, or our own proxy answers there."""
    try:
        gateway.readiness(timeout=PROBE_SECONDS)
    except GatewayUnreachable:
        return _check_bind(settings)
    except NotTheProxy as error:
        return fail("port", str(error), "stop it, or set FREEAICHAT_PORT to a free port")
    return ok("port", f"the proxy answers at {gateway.base_url}")


def _check_bind(settings: Settings) -> Check:
    problem = bind_error(settings.hosts, settings.port)
    where = f"{settings.host} port {settings.port}"
    if problem is None:
        return ok("port", f"{where} is free")
    advice = "FREEAICHAT_HOST names an address of this machine, FREEAICHAT_PORT a free port above 1023"
    return fail("port", f"cannot listen on {where}: {problem.strerror}", f"stop what listens there; {advice}")
