"""https: the certificate must be that of the name in the address, whatever the address behind it."""

import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from proxy.api.images.download import Downloader, DownloadFailed
from shared.site_client import tls
from tests.pictures import PNG, PictureServer, public_or_here
from tests.proxy.api.images.name_server import answering

NAME = "pictures.example"


def certificate(directory: Path) -> Path:
    """A certificate for NAME, with its key in the same file."""
    made = directory / "certificate.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", directory / "key.pem")
    name = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    subprocess.run(
        ("openssl", "req", "-x509", "-days", "2", *key, *name, "-out", made), check=True, capture_output=True
    )
    made.write_text(made.read_text() + (directory / "key.pem").read_text())
    return made


@asynccontextmanager
async def tls_server(certificate_path: Path, names: list[str | None]) -> AsyncIterator[int]:
    """Pictures over TLS; *names* gets the name that each client asks for. Yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_path)
    context.sni_callback = lambda _, name, __: names.append(name)
    runner = web.ServerRunner(web.Server(PictureServer().answer))
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await listener.start()
        yield listener.port
    finally:
        await runner.cleanup()


async def fetch(url: str) -> str:
    """Fetch *url*; return the content or the error. Every name resolves to 127.0.0.1."""
    tls.context.cache_clear()  # today's environment may name other authorities
    async with Downloader(1024, allowed=public_or_here, lookup=answering("127.0.0.1")) as downloader:
        tls.context.cache_clear()
        try:
            return repr(await downloader.get(url))
        except DownloadFailed as error:
            return type(error.__cause__).__name__


async def test_only_a_trusted_certificate_of_that_very_name_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path)
    names: list[str | None] = []

    async with tls_server(made, names) as port:
        untrusted = await fetch(f"https://{NAME}:{port}/one.png")
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        trusted = await fetch(f"https://{NAME}:{port}/one.png")
        other_name = await fetch(f"https://other.example:{port}/one.png")
        number = await fetch(f"https://127.0.0.1:{port}/one.png")

    refused = "ClientConnectorCertificateError"
    assert (trusted, other_name, number, untrusted) == (repr(PNG), refused, refused, refused)
    assert names == [NAME, NAME, "other.example", None]
