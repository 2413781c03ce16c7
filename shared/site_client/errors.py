"""Why a site gave no answer."""


class SiteUnreachable(Exception):
    """No answer came: refused, reset, name not found, TLS failure, or what came was no HTTP."""


class SiteTimeout(SiteUnreachable):
    """No answer came in time."""
