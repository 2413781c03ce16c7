"""Checks of what surrounds the store and the network: file systems, file modes, HTTP proxies, authorities."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.parsing import Site
from shared.site_client.proxies import BadProxy, proxy_to
from shared.store import address

MOUNTS = Path("/proc/mounts")
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "davfs"})
_SQLITE = b"SQLite format 3\0"  # what each database begins with


def check_proxies(sites: Iterable[Site]) -> list[Check]:
    """Which HTTP proxy of the environment leads to each site."""
    return [_check_proxy(site) for site in sites]


def _check_proxy(site: Site) -> Check:
    name = "http proxy"
    try:
        proxy = proxy_to(site.url)
    except BadProxy as error:
        return fail(
            name, f"{site.origin}: {error}", "set HTTP_PROXY and HTTPS_PROXY to http://host:port, or unset them"
        )
    return ok(name, f"{site.origin} is asked through {proxy}" if proxy else f"none on the way to {site.origin}")


def check_authorities(environment: Mapping[str, str]) -> Check:
    """Whether the certificate authorities that the environment names are there: OpenSSL passes over what is not."""
    name = "authorities"
    named = {word: Path(value) for word in ("SSL_CERT_FILE", "SSL_CERT_DIR") if (value := environment.get(word))}
    for word, path in named.items():
        if not (path.is_file() if word == "SSL_CERT_FILE" else path.is_dir()):
            return fail(name, f"{word} names {path}, which is not there", f"mend its path, or unset {word}")
    return ok(name, f"{' and '.join(named)} of the environment" if named else "those of this system")


def check_store_files(store_url: str, mounts: Path = MOUNTS) -> list[Check]:
    """Where a SQLite store lies, and who can read it; nothing for other stores, or before there is one."""
    file = address.sqlite_path(store_url)
    if file is None:
        return []
    return [_check_drive(file, mounts), *_check_modes(file)]


def _check_drive(file: Path, mounts: Path) -> Check:
    kind = _file_system(file.resolve(), mounts)
    if kind in _REMOTE:
        mend = "put it on a disk of this machine (FREEAICHAT_STORE), or use FREEAICHAT_STORE=redis://…"
        return warn("store drive", f"{file} lies on a network drive ({kind}), where SQLite may break", mend)
    return ok("store drive", f"a disk of this machine{f' ({kind})' if kind else ''}")


def _file_system(file: Path, mounts: Path) -> str:
    """The kind of file system that *file* lies on, "" where this system does not tell."""
    try:
        rows = [line.split() for line in mounts.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    places = {row[1].replace("\\040", " "): row[2] for row in rows if len(row) > 2}  # the last mount of a place counts
    return next((places[str(each)] for each in file.parents if str(each) in places), "")


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
