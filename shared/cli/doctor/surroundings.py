"""Checks of what surrounds the store and the network: file systems, file modes, proxies of this machine."""

from collections.abc import Mapping
from pathlib import Path

from shared.cli.doctor.check import Check, ok, warn
from shared.store import address

MOUNTS = Path("/proc/mounts")
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "davfs"})
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def check_proxies(environment: Mapping[str, str]) -> Check:
    """Whether the environment names an HTTP proxy, which our own requests to the sites do not go through."""
    found = [name for name in (*_PROXIES, *map(str.lower, _PROXIES)) if environment.get(name)]
    if not found:
        return ok("http proxy", "none is set")
    mend = "unset it, or route this machine's traffic; the sites have to be reachable without it"
    return warn(
        "http proxy",
        f"{' and '.join(found)} set, but the gateway's requests to the sites do not use it (a browser may)",
        mend,
    )


def check_store_files(store_url: str, mounts: Path = MOUNTS) -> list[Check]:
    """Where a SQLite store lies, and who can read it; nothing for other stores, or before there is one."""
    file = address.sqlite_path(store_url)
    if file is None:
        return []
    return [_check_drive(file, mounts), *_check_modes(file)]


def _check_drive(file: Path, mounts: Path) -> Check:
    kind = _file_system(file.absolute(), mounts)
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
    open_to_others = [
        each for each in sorted(file.parent.glob(f"{file.name}*")) if each.is_file() and each.stat().st_mode & 0o077
    ]
    if not open_to_others:
        return []
    names = " ".join(map(str, open_to_others))
    return [warn("store modes", f"others can read {names}", f"chmod 600 {names}")]
