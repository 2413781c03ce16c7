"""Checks of the environment: file system and modes of the store, HTTP proxies, certificate authorities."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.parsing import Site
from shared.site_client.proxies import InvalidProxy, proxy_to
from shared.store import store_url

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "davfs"})
_SQLITE = b"SQLite format 3\0"  # what each database begins with


def check_proxies(sites: Iterable[Site]) -> list[Check]:
    """The HTTP proxy of the environment for each site."""
    return [_check_proxy(site) for site in sites]


def _check_proxy(site: Site) -> Check:
    name = "http proxy"
    try:
        proxy = proxy_to(site.url)
    except InvalidProxy as error:
        return fail(
            name, f"{site.origin}: {error}", "set HTTP_PROXY and HTTPS_PROXY to http://host:port, or unset them"
        )
    return ok(name, f"{site.origin} is asked through {proxy}" if proxy else f"none on the way to {site.origin}")


def check_authorities(environment: Mapping[str, str]) -> Check:
    """Whether the certificate authorities that the environment names exist: OpenSSL ignores missing ones."""
    name = "authorities"
    paths = {
        variable: Path(value) for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR") if (value := environment.get(variable))
    }
    for variable, path in paths.items():
        if not (path.is_file() if variable == "SSL_CERT_FILE" else path.is_dir()):
            return fail(name, f"{variable} names {path}, which is not there", f"mend its path, or unset {variable}")
    return ok(name, f"{' and '.join(paths)} of the environment" if paths else "those of this system")


def check_store_files(url: str, mounts: Mapping[str, str]) -> list[Check]:
    """The file system and modes of a SQLite store; nothing for other stores.

    *mounts*: the types of this machine's file systems by the directories that they are mounted on.
    """
    file = store_url.sqlite_path(url)
    if file is None:
        return []
    return [_check_drive(file, mounts), *_check_modes(file)]


def _check_drive(file: Path, mounts: Mapping[str, str]) -> Check:
    kind = next((mounts[str(each)] for each in file.resolve().parents if str(each) in mounts), "")
    if kind in _REMOTE:
        advice = "put it on a disk of this machine (FREEAICHAT_STORE), or use FREEAICHAT_STORE=redis://…"
        return warn("store drive", f"{file} lies on a network drive ({kind}), where SQLite may break", advice)
    return ok("store drive", f"a disk of this machine{f' ({kind})' if kind else ''}")


def _check_modes(file: Path) -> list[Check]:
    if not file.is_file() or not _is_store(file):
        return []  # `check_store` tells; its mode is another's concern
    beside = (each for pattern in (f"{file.name}-*", f"{file.name}.*") for each in file.parent.glob(pattern))
    open_to_others = [each for each in (file, *sorted(beside)) if each.is_file() and each.stat().st_mode & 0o077]
    if not open_to_others:
        return []
    names = shlex.join(map(str, open_to_others))
    return [warn("store modes", f"others can read {names}", f"chmod 600 {names}")]


def _is_store(file: Path) -> bool:
    """Whether *file* is a SQLite database, or nothing yet."""
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE)) in (_SQLITE, b"")
