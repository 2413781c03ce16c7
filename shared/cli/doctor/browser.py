"""Checks of the browser, and of the driver that moves it: found, and able to start."""

import re
import subprocess
from collections.abc import Sequence

from shared.browsers import NoBrowser, find_browser
from shared.cli import install
from shared.cli.doctor.check import Check, fail, ok

START_SECONDS = 20.0
MAX_SHOWN = 200
_MISSING_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


def check_browser(setting: str) -> Check:
    """Whether there is a browser (*setting* is FREEAICHAT_BROWSER) and it starts."""
    try:
        browser = find_browser(setting)
    except NoBrowser as error:
        return fail("browser", str(error), install.manual_command())
    problem, version = try_start([str(browser.path), "--version"])
    if problem:
        mend = f"install what is missing, or another browser: {install.manual_command()}"
        return fail("browser", f"{browser.path} does not start: {problem}", mend)
    return ok("browser", f"{browser.path} ({browser.found}), {version}")


def check_driver() -> Check:
    """Whether Playwright's own driver starts."""
    problem, version = try_start(install.DRIVER_CHECK)
    if not problem:
        return ok("driver", f"Playwright {version.removeprefix('Version ')}")
    if "libatomic" in problem:
        return fail(
            "driver", f"Playwright's driver does not start: {problem}", install.manual_command(only_driver=True)
        )
    return fail("driver", f"Playwright's driver does not start: {problem}", "pip install --force-reinstall playwright")


def try_start(command: Sequence[str]) -> tuple[str, str]:
    """Run *command* to its end: what is wrong ("": nothing), and the first line it printed."""
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",  # a browser may say it in another encoding than ours
            stdin=subprocess.DEVNULL,
            timeout=START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {START_SECONDS:.0f} s", ""
    except OSError as error:
        return error.strerror or type(error).__name__, ""
    if answer.returncode == 0:
        return "", next(iter(answer.stdout.strip().splitlines()), "")
    missing = _MISSING_LIBRARY.findall(answer.stderr)
    if missing:
        return f"{', '.join(dict.fromkeys(missing))} is missing", ""
    last = next(iter(answer.stderr.strip().splitlines()[-1:]), "")
    return f"exit code {answer.returncode} {last[:MAX_SHOWN]}".strip(), ""
