"""Why a site gave no answer."""

import ssl

from shared.site_client import tls


class SiteUnreachable(Exception):
    """No answer came: refused, reset, name not found, TLS failure, or what came was no HTTP."""


class SiteTimeout(SiteUnreachable):
    """No answer came in time."""


def reason(error: OSError) -> str:
    """Why no connection was made, in few words."""
    if isinstance(error, ssl.SSLError):
        return tls.problem(error)
    return error.strerror or str(error) or type(error).__name__
