"""Verdicts on audit reports: an audit that could not look up every package fails."""

from typing import Any

import pytest

from tests.audit.verdict import CLEAN, NOT_AUDITED, VULNERABLE, verdict

CLEAN_ONE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found and could not be audited: b (2)"}
FLAWED = {"name": "c", "version": "3", "vulns": [{"id": "CVE-1", "fix_versions": ["4"], "aliases": []}]}


@pytest.mark.parametrize(
    ("packages", "code", "message"),
    [
        ([CLEAN_ONE], CLEAN, "1 packages audited"),
        ([], NOT_AUDITED, "0 of 0"),
        ([SKIPPED], NOT_AUDITED, "0 of 1"),
        ([CLEAN_ONE, SKIPPED], NOT_AUDITED, "1 of 2"),
        ([CLEAN_ONE, FLAWED], VULNERABLE, "c 3: CVE-1, mended in 4"),
        ([SKIPPED, FLAWED], VULNERABLE, "c 3: CVE-1"),
    ],
)
def test_only_a_report_on_every_package_is_a_success(packages: list[dict[str, Any]], code: int, message: str) -> None:
    found, lines = verdict({"dependencies": packages})

    assert found == code
    assert lines[0].startswith(message)
    assert verdict({})[0] == NOT_AUDITED
