"""The TLS context for sites, with the certificate authorities that this system trusts."""

import ssl
from functools import cache
from pathlib import Path

# Where systems keep their authorities, for an OpenSSL that looks elsewhere, as that of a Python from no package does.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # their newer releases
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


@cache
def context() -> ssl.SSLContext:
    """The context of the whole process, cached, since loading the authorities takes some 20 ms.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name others instead.
    """
    ssl_context = ssl.create_default_context()
    # Python 3.13 began to refuse authorities of companies that browsers and every other client accept.
    ssl_context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not ssl_context.get_ca_certs() and not _has_directory():
        bundle = next((path for path in BUNDLES if Path(path).is_file()), None)
        if bundle is not None:
            ssl_context.load_verify_locations(bundle)
    return ssl_context


def _has_directory() -> bool:
    """Whether OpenSSL was named, or finds, a directory of authorities; it reads those as they are needed."""
    directory = ssl.get_default_verify_paths().capath
    return directory is not None and any(Path(directory).glob("*.0"))


def problem(error: ssl.SSLError) -> str:
    """The error as a text for users."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        if "local issuer" in reason:
            reason += ": an authority that is not trusted here, or the site leaves out an intermediate certificate"
        return f"its certificate is not accepted: {reason}"
    return f"TLS failed: {(error.reason or 'no reason given').replace('_', ' ').lower()}"
