"""A certificate authority for tests, with good and expired site certificates."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

SITE = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:chat.example"
AUTHORITY = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash"


def _openssl(*words: str | Path) -> None:
    subprocess.run(("openssl", *words), check=True, capture_output=True)


@dataclass(frozen=True)
class Authorities:
    """A root that may be trusted, and an authority below it that signs the sites' certificates."""

    directory: Path

    @property
    def root(self) -> Path:
        """The root's certificate: what `SSL_CERT_FILE` names."""
        return self.directory / "root.pem"

    def context(
        self, certificate: str = "good", *, chain: bool = True, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """A site's side of TLS. *certificate*: `good` or `expired`; *chain*: with the authority between."""
        shown = self.directory / f"{certificate}-{chain}.pem"
        parts = [certificate, "between"] if chain else [certificate]
        shown.write_text("".join((self.directory / f"{part}.pem").read_text() for part in parts))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(shown, self.directory / f"{certificate}.key")
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def trust_in_browser(self, home: Path) -> None:
        """Add the root to the NSS database in *home*, where Chromium on Linux reads it."""
        database = home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        for words in (("-N", "--empty-password"), ("-A", "-t", "C,,", "-n", "test root", "-i", str(self.root))):
            subprocess.run(("certutil", "-d", f"sql:{database}", *words), check=True, capture_output=True)


def make_authorities(directory: Path) -> Authorities:
    """Create the authorities and certificates in *directory*."""

    def make(name: str, signer: str, extensions: str, *, days: str = "2") -> None:
        request, extension_file = directory / f"{name}.csr", directory / f"{name}.ext"
        extension_file.write_text(extensions)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", directory / f"{name}.key")
        _openssl("req", *key, "-subj", f"/CN=test {name}", "-out", request)
        by: tuple[str | Path, ...] = ("-signkey", directory / f"{name}.key")
        if signer:
            by = ("-CA", directory / f"{signer}.pem", "-CAkey", directory / f"{signer}.key", "-CAcreateserial")
        _openssl(
            "x509",
            "-req",
            "-in",
            request,
            *by,
            "-days",
            days,
            "-extfile",
            extension_file,
            "-out",
            directory / f"{name}.pem",
        )

    make("root", "", AUTHORITY)
    make("between", "root", AUTHORITY)
    make("good", "between", SITE)
    make("expired", "between", SITE, days="-1")
    return Authorities(directory)
