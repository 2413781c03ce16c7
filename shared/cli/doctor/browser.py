"""Checks of the browser and of Playwright's driver: found, and able to start."""

import re
from importlib.util import find_spec

from shared.browsers import MEND_SETTING, BrowserNotFound, find_browser
from shared.cli import install
from shared.cli.doctor.check import Check, fail, ok, warn

_VERSION = re.compile(r"\d+\.\d+\.\d+\.\d+")  # as all of the Chromium family tell theirs, and no other browser


def check_browser(setting: str) -> Check:
    """Whether there is a browser (*setting* is FREEAICHAT_BROWSER) and it starts."""
    if find_spec("playwright") is None:
        return ok("browser", "not looked for, since no visits can be made here")
    try:
        browser = find_browser(setting)
    except BrowserNotFound as error:
        return fail("browser", error.problem, error.advice)
    problem, version = install.try_start([str(browser.path), "--version"])
    if problem:
        advice = f"install what is missing, or another browser: {install.manual_command()}"
        return fail("browser", f"{browser.path} does not start: {problem}", advice)
    if not _VERSION.search(version):
        what = f"{browser.path} calls itself {version!r}, which is no version of a Chromium-family browser"
        return warn("browser", what, MEND_SETTING if setting else install.manual_command())
    return ok("browser", f"{browser.path} ({browser.found}), {version}")


def check_driver() -> Check:
    """Whether Playwright's own driver starts; an installation without it is one of the proxy alone."""
    if find_spec("playwright") is None:
        mend = "nothing, where another machine or container runs the harvester; else `pip install playwright`"
        return warn("driver", "Playwright is not installed, so no visits can be made here", mend)
    problem, version = install.try_start(install.DRIVER_CHECK)
    if not problem:
        return ok("driver", f"Playwright {version.removeprefix('Version ')}")
    if "libatomic" in problem:
        return fail(
            "driver", f"Playwright's driver does not start: {problem}", install.manual_command(only_driver=True)
        )
    return fail("driver", f"Playwright's driver does not start: {problem}", "pip install --force-reinstall playwright")
