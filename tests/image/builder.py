"""Building images with buildah, on a base that debootstrap makes; nothing here needs an engine or a registry."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.image.container import Image

ROOT = Path(__file__).parents[2]
SUITE = "trixie"  # of the Dockerfile's default base
BASE = "localhost/base:latest"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
NOT_IN_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/lib/apt/lists")
NETWORK = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")


def debootstrap(root: Path) -> None:
    """A minimal Debian at *root*, stripped as the official slim images are, that trusts what this machine trusts."""
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root))
    sources = root / "etc/apt/sources.list"
    main = sources.read_text().splitlines()[0]  # deb MIRROR SUITE main
    security = main.replace(f"/debian {SUITE} ", f"/debian-security {SUITE}-security ")
    sources.write_text(f"{main}\n{security}\n")
    excluded = "".join(f"path-exclude /{place}/*\n" for place in NOT_IN_SLIM[:4])
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(excluded)
    for place in (*NOT_IN_SLIM, "var/cache/apt"):
        shutil.rmtree(root / place, ignore_errors=True)
        (root / place).mkdir(parents=True)
    _trust_as_here(root)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


def _trust_as_here(root: Path) -> None:
    """Add the certificates that this machine trusts and a plain Debian does not."""
    here = Path("/") / CERTIFICATES
    known = set(_certificates(root / CERTIFICATES))
    ours = [one for one in _certificates(here) if one not in known] if here.is_file() else []
    for number, certificate in enumerate(ours):
        (root / f"usr/local/share/ca-certificates/local-{number}.crt").write_text(certificate)
    chrooted(root, ["update-ca-certificates"])


def _certificates(bundle: Path) -> list[str]:
    end = "-----END CERTIFICATE-----\n"
    return [part.lstrip() + end for part in bundle.read_text().split(end)[:-1]]


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with all it keeps in one directory, so that removing that directory leaves nothing."""

    place: Path

    def make_base(self, root: Path) -> None:
        """Make the image `BASE` of the file system at *root*, with what the network of this machine asks for."""
        container = self._buildah("from", "scratch").strip()
        run("cp", "-a", f"{root}/.", self._buildah("mount", container).strip())
        for name in NETWORK:
            if value := os.environ.get(name):
                self._buildah("config", "--env", f"{name}={value}", container)
        self._buildah("commit", "--quiet", "--rm", container, BASE)

    def build(self, target: str) -> Image:
        """Build the Dockerfile up to stage *target* and unpack it."""
        options = ("--isolation", "chroot", "--format", "docker", "--layers", "--target", target, "--tag", target)
        self._buildah("build", *options, "--build-arg", f"BASE={BASE}", str(ROOT), shown=True)
        container = self._buildah("from", f"localhost/{target}").strip()
        config = json.loads(self._buildah("inspect", "--type", "image", f"localhost/{target}"))["Docker"]["config"]
        return Image(Path(self._buildah("mount", container).strip()), config)

    def close(self) -> None:
        """Remove everything."""
        self._buildah("umount", "--all")
        self._buildah("rm", "--all")
        shutil.rmtree(self.place)

    def _buildah(self, *words: str, shown: bool = False) -> str:
        stores = ("--root", str(self.place / "root"), "--runroot", str(self.place / "run"), "--storage-driver", "vfs")
        return run("buildah", *stores, *words, shown=shown)


def megabytes(root: Path) -> int:
    """The size of all files below *root*, in 10^6 bytes, as engines count."""
    return int(run("du", "-sxb", str(root)).split()[0]) // 10**6


def run(*command: str, shown: bool = False, cwd: Path | None = None) -> str:
    """What *command* prints; with *shown* it goes on to the terminal instead. Raises CalledProcessError."""
    pipe = None if shown else subprocess.PIPE
    return subprocess.run(command, check=True, stdout=pipe, text=True, cwd=cwd).stdout or ""


def chrooted(root: Path, command: Sequence[str]) -> str:
    """What *command* prints inside *root*. Raises CalledProcessError."""
    return run("chroot", str(root), *command)
