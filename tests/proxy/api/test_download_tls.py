"""https: the certificate must be that of the name in the address, whatever the address behind it."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.pictures import PNG, PictureServer

NAME = "pictures.example"


def certificate(directory: Path) -> Path:
    """A certificate for NAME, with its key in the same file."""
    made = directory / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-addext", f"subjectAltName=DNS:{NAME}", "-keyout", directory / "key.pem", "-out", made),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + (directory / "key.pem").read_text())
    return made


@asynccontextmanager
async def tls_server(made: Path, names: list[str | None]) -> AsyncIterator[int]:
    """Pictures over TLS; *names* gets the name that each client asks for. Yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made)
    context.sni_callback = lambda _, name, __: names.append(name)
    runner = web.ServerRunner(web.Server(PictureServer().answer))
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await listener.start()
        yield listener.port
    finally:
        await runner.cleanup()


async def fetched(url: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proxy.api.download_process", url),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return output.decode().strip()


async def test_only_a_trusted_certificate_of_that_very_name_is_accepted(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    names: list[str | None] = []

    async with tls_server(made, names) as port:
        trusted = await fetched(f"https://{NAME}:{port}/one.png", SSL_CERT_FILE=str(made))
        other_name = await fetched(f"https://other.example:{port}/one.png", SSL_CERT_FILE=str(made))
        number = await fetched(f"https://127.0.0.1:{port}/one.png", SSL_CERT_FILE=str(made))
        untrusted = await fetched(f"https://{NAME}:{port}/one.png")

    refused = "ClientConnectorCertificateError"
    assert (trusted, other_name, number, untrusted) == (repr(PNG), refused, refused, refused)
    assert names == [NAME, "other.example", None, NAME]
