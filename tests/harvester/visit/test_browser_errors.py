"""What the messages of browsers that fail mean."""

import pytest

from harvester.visit.browser_errors import action_failure, is_sandbox_failure, launch_failure, net_error
from shared.models import Cause

LAUNCH = """BrowserType.launch: Target page, context or browser has been closed
Browser logs:

<launching> /usr/bin/chromium --headless --user-data-dir=/x
<launched> pid=359
[pid=359][err] [1123/045642.145832:ERROR:dbus/bus.cc:405] Failed to connect to the bus: no such file
{line}
[pid=359] <process did exit: {ended}>
"""


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ('  - <div class="layer">We use cookies</div> intercepts pointer events\n', '<div class="layer"> lies over it'),
        ("  - element is not enabled\n", "it is disabled"),
        ("", "it does not react"),
    ],
)
def test_what_keeps_a_click_from_its_place_is_reported(log: str, reason: str) -> None:
    assert action_failure(f"Locator.click: Timeout 2000ms exceeded.\nCall log:\n{log}").startswith(reason)


def test_network_errors_are_explained_and_only_broken_connections_are_worth_another_try() -> None:
    unknown = net_error("NAME_NOT_RESOLVED")
    assert str(unknown) == "the site's name cannot be resolved; check the address and this machine's network"
    assert (unknown.cause, unknown.is_transient) == (Cause.UNREACHABLE, False)
    for code in ("CONNECTION_RESET", "CONNECTION_CLOSED", "EMPTY_RESPONSE", "NETWORK_CHANGED", "HTTP2_PROTOCOL_ERROR"):
        assert net_error(code).is_transient
    for code in ("ABORTED", "TOO_MANY_REDIRECTS", "UNSAFE_PORT"):  # the site may well be reached
        assert net_error(code).cause is Cause.PAGE
    expired = net_error("CERT_DATE_INVALID")
    assert (expired.cause, "CERT_DATE_INVALID" in str(expired)) == (Cause.CERTIFICATE, True)
    assert "SOMETHING_NEW" in str(net_error("SOMETHING_NEW"))


def launch(line: str = "", ended: str = "exitCode=1, signal=null") -> str:
    return LAUNCH.format(line=line, ended=ended)


def test_the_line_that_tells_why_a_browser_did_not_start_is_found_among_the_others() -> None:
    line = (
        "/usr/lib/chromium/chromium: error while loading shared libraries: libnss3.so: cannot open shared object file"
    )

    reason, is_transient = launch_failure(launch(f"[pid=359][err] {line}", "exitCode=127, signal=null"))

    assert line in reason
    assert "freeaichat browser install" in reason
    assert not is_transient


def test_a_browser_that_said_nothing_of_use_leaves_its_last_words_or_the_drivers() -> None:
    assert "Failed to connect to the bus" in launch_failure(launch())[0]
    assert "the last words" in launch_failure(launch("[pid=359][err] the last words"))[0]
    missing = "BrowserType.launch: Failed to launch chromium because executable doesn't exist at /x\nCall log:"
    assert "executable doesn't exist" in launch_failure(missing)[0]
    assert "ended at once" in launch_failure("BrowserType.launch: Target page has been closed\nBrowser logs:")[0]


@pytest.mark.parametrize("ended", ["exitCode=null, signal=SIGKILL", "exitCode=137, signal=null"])
def test_a_browser_that_was_killed_is_worth_another_try(ended: str) -> None:
    assert launch_failure(launch(ended=ended)) == ("it was killed", True)


def test_a_browser_that_finds_no_space_for_its_files_is_reported_with_what_to_do() -> None:
    full = "BrowserType.launch: ENOSPC: no space left on device, mkdtemp '/var/visit/playwright-artifacts-nzDZyg'"

    reason, is_transient = launch_failure(full)

    assert "set TMPDIR" in reason
    assert not is_transient


def test_only_a_missing_sandbox_is_taken_for_one() -> None:
    missing = "[1:ERROR:zygote_host_impl_linux.cc:130] No usable sandbox! If this is a Debian system, please install"

    assert is_sandbox_failure(launch(f"[pid=359][err] {missing}"))
    assert not is_sandbox_failure(launch("[pid=1][err] [1:WARNING:sandbox/policy/linux/sandbox_linux.cc:405] threads"))
