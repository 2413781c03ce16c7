"""`freeaichat doctor --bundle FILE`: a zip file for a bug report, without secrets."""

import io
import json
import os
import platform
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from time import gmtime, strftime, time

from shared import __version__, log_file
from shared.admin import usage_admin
from shared.admin.wire import UsageQuery
from shared.cli import status
from shared.cli.doctor import secrets
from shared.cli.doctor.check import Check
from shared.cli.doctor.settings import known_names
from shared.cli.failures import Failure
from shared.cli.gateway import Gateway
from shared.parsing import Server, Site
from shared.secrets import Secret
from shared.serialization import to_plain
from shared.settings import NAMES, Settings
from shared.store import Store, StoreError, open_store, store_url

LOG_BYTES = 512 * 1024
VISITS = 30
USAGE_SECONDS = 7 * 86400.0
ABOUT = """\
What `freeaichat doctor --bundle` found. No cookie, nonce, session id or key is in it, and nothing that was said.
Addresses of sites and paths of this machine are: look through it before you give it away.

versions.json   this program, Python, the system, the packages
doctor.json     the checks
settings.json   what is set, secrets left out
status.json     proxy, harvester, credentials (their age), bots
visits.json     the last visits, and why they failed
errors.json     requests and errors by kind, day and site, of a week
log.txt         the end of the log of `freeaichat up`, where it ran in a terminal; other logs are where the services'
                standard error goes (`docker compose logs`, `journalctl -u freeaichat`)
"""

Documents = dict[str, object]


async def make_bundle(settings: Settings, gateway: Gateway, findings: Sequence[Check], target: Path) -> int:
    """Write the file *target* (mode 0600); returns its size. *gateway*: as in `run_checks`. Raises `Failure`."""
    documents: Documents = {
        "versions": versions(),
        "doctor": [asdict(finding) for finding in findings],
        "settings": shown_settings(settings),
    }
    hidden = [gateway.key, *secrets.settings_secrets(settings)]
    try:
        async with open_store(settings.store_url) as store:
            documents |= await _store_documents(store, settings, gateway)
            hidden += await secrets.store_secrets(store, settings)
    except StoreError as error:
        documents["status"] = {"error": str(error)}
    redacted = {name: secrets.redact_json(value, hidden) for name, value in documents.items()}
    texts = {f"{name}.json": json.dumps(value, ensure_ascii=False, indent=1) for name, value in redacted.items()}
    log = log_file.tail(log_file.log_path(settings.data_dir), LOG_BYTES)
    return _write(target, {"README.txt": ABOUT, **texts, "log.txt": secrets.redact_text(log, hidden)})


def versions() -> dict[str, object]:
    """The versions of this program, Python, the system and the packages."""
    packages = {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}
    return {
        "made": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()),
        "freeaichat": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda pair: pair[0].lower())),
    }


def shown_settings(settings: Settings) -> dict[str, object]:
    """All settings without secrets, and which of them the environment sets."""
    values = {name: _shown(getattr(settings, name)) for name in NAMES}
    values["store"] = store_url.redacted_url(settings.store_url)
    return {"values": values, "in the environment": sorted(known_names() & set(os.environ))}


def _shown(value: object) -> object:
    if isinstance(value, Secret):
        return "(set)" if value.value else "(not set)"
    if isinstance(value, Site):
        return value.url
    if isinstance(value, Server):
        return f"{value.name}={value.base_url}"
    if isinstance(value, Mapping):
        return {str(name): _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


async def _store_documents(store: Store, settings: Settings, gateway: Gateway) -> Documents:
    now = time()
    query = UsageQuery(now - USAGE_SECONDS, now, ("day", "site"))
    origins = [site.origin for site in settings.sites]
    return {
        "status": await status.gather(settings, store, gateway, now),
        "visits": {origin: to_plain(await store.visits(origin, limit=VISITS)) for origin in origins},
        "errors": await usage_admin.rows(store, query),
    }


def _write(target: Path, texts: Mapping[str, str]) -> int:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text.encode("utf-8", "backslashreplace"))
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                return file.write(packed.getvalue())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise Failure(f"{target} is there already; name another file") from None
    except OSError as error:
        raise Failure(f"{target} cannot be written: {error.strerror}") from error
