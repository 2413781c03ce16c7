"""What other programs make of the files beside the image: Compose v2, nginx, and Debian's archive for arm64."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.image.builder import ROOT, chrooted

PACKAGES = ("docker-compose", "nginx-light")
PROJECT = "project"  # the files under test, in the root of the tools
ON_ARM = ("ca-certificates", "python3", "python3-venv", "tini", "chromium-headless-shell", "libatomic1")
STRANGE_COOKIES = (  # as users of earlier tools have them, doubled for Compose or not
    "COOKIE='session=$$2y$$10$$secret; b=1'",
    "COOKIE=session=$P$Bsecret; b=1",
    'COOKIE="session=secret; c=$${d}"',
)
COMPOSE = ("env", "-C", f"/{PROJECT}", "docker-compose", "--profile", "redis", "--profile", "balanced")
START_SECONDS = 10.0


def install(root: Path) -> None:
    """Make the minimal Debian at *root* one that has Compose and nginx, and the files of this project."""
    chrooted(root, ["apt-get", "update", "-qq"])
    with (root / "tools.log").open("w") as log:
        command = ["chroot", str(root), "apt-get", "install", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(command, stdout=log, stderr=log, check=True)
    (root / PROJECT).mkdir()
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, root / PROJECT / name)
    shutil.copytree(ROOT / "deploy", root / PROJECT / "deploy")


def arm_packages(root: Path) -> None:
    """Debian has every package of the Dockerfile for arm64 too."""
    chrooted(root, ["dpkg", "--add-architecture", "arm64"])
    chrooted(root, ["apt-get", "update", "-qq"])
    for name in ON_ARM:
        told = chrooted(root, ["apt-cache", "policy", f"{name}:arm64" if name != "ca-certificates" else name])
        assert re.search(r"Candidate: \d", told), (name, told)


def compose(root: Path) -> None:
    """Compose takes the file; only this machine is served; no value of `.env` but the port gets into what it makes."""
    plain = _composed(root)
    services: dict[str, Any] = plain["services"]
    assert services.keys() == {"harvester", "proxy", "redis", "worker", "balancer"}
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert sorted(port["published"] for port in published) == ["8080", "8090"]
    assert {name for name, service in services.items() if not service.get("profiles")} == {"harvester", "proxy"}
    for service in services.values():
        assert service.keys() >= {"mem_limit", "logging", "restart"}, service
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), service
    environment = root / PROJECT / ".env"
    for cookie in STRANGE_COOKIES:
        environment.write_text(f"API_MASTER_KEY=secret\nNGINX_PORT=8088\n{cookie}\n")
        composed = _composed(root)
        assert "secret" not in json.dumps(composed)
        proxy = composed["services"]["proxy"]
        assert [port["published"] for port in proxy.pop("ports")] == ["8088"]
        services["proxy"].pop("ports", None)
        assert proxy == services["proxy"]
    environment.unlink()


def _composed(root: Path) -> dict[str, Any]:
    return dict(json.loads(chrooted(root, [*COMPOSE, "config", "--format", "json"])))


@contextmanager
def balancer(root: Path, *, port: int, proxies_port: int) -> Iterator[None]:
    """nginx with our configuration on *port*, in front of proxies on two loopback addresses and *proxies_port*."""
    (root / "etc/hosts").write_text("127.0.0.1 localhost worker\n127.0.0.2 worker\n")
    (root / "etc/host.conf").write_text("multi on\n")
    ours = (ROOT / "deploy/nginx.conf").read_text()
    here = ours.replace("worker:8080", f"worker:{proxies_port}").replace("listen 8080", f"listen 127.0.0.1:{port}")
    (root / "etc/nginx/nginx.conf").write_text(here)
    (root / "var/cache/nginx").mkdir(exist_ok=True)  # which nginx's own image has
    process = subprocess.Popen(["chroot", str(root), "nginx", "-g", "daemon off;"])
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert process.poll() is None, "nginx does not take its configuration"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
