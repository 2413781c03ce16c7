"""The exceptions of the site client."""

import os
import socket
import ssl

from shared.site_client import tls


class SiteUnreachable(Exception):
    """No usable response: refused, reset, name not found, TLS failure, not HTTP."""


class SiteTimeout(SiteUnreachable):
    """No response in time."""


def reason(error: OSError) -> str:
    """Why no connection was made, in few words."""
    if isinstance(error, ssl.SSLError):
        return tls.problem(error)
    if error.errno and not isinstance(error, socket.gaierror):  # whose numbers are others
        return os.strerror(error.errno)  # an event loop's own text names its call
    return error.strerror or str(error) or type(error).__name__
