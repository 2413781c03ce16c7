"""What the browser is started with."""

from typing import Any

from harvester.visit.errors import BrowserFailed
from shared.models import Cause
from shared.site_client.proxies import BadProxy, exceptions, proxy_to

ARGUMENTS = ("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")


def launch_options(url: str) -> dict[str, Any]:
    """Playwright's options for a browser that is to visit *url*. Raises `BrowserFailed`."""
    options: dict[str, Any] = {"args": ARGUMENTS}
    # Who started the visit ends it.
    options |= dict.fromkeys(("handle_sigint", "handle_sigterm", "handle_sighup"), False)
    try:
        proxy = proxy_to(url)
    except BadProxy as error:
        raise BrowserFailed(
            f"the browser cannot be used: {error}", cause=Cause.NOT_STARTED, is_passing=False
        ) from error
    if proxy is not None:  # of which the driver, which asks for the nonce, would not know by itself
        who = {"username": proxy.user, "password": proxy.password}
        options["proxy"] = {"server": f"http://{proxy}", "bypass": ",".join(exceptions()), **who}
    return options
