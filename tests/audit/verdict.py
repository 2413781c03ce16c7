"""Judge an auditor's report. Pure."""

from collections.abc import Mapping
from typing import Any

CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 2  # exit codes


def verdict(report: Mapping[str, Any]) -> tuple[int, list[str]]:
    """The exit code, and what to tell, of the auditor's JSON *report*.

    The auditor itself calls packages that no source could say anything about "skipped" and is content; here a report
    counts only when it is about every package.
    """
    packages = report.get("dependencies", [])
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    if lines:
        return VULNERABLE, lines
    if unknown or not packages:
        return NOT_AUDITED, [f"{len(packages) - len(unknown)} of {len(packages)} packages could be audited"]
    return CLEAN, [f"{len(packages)} packages audited, no known vulnerability"]
