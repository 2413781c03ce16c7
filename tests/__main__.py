"""`python -m tests [pytest options]`: get what the tests need, run them all, and measure what they cover.

Files of tests run side by side, one in each of a few processes, and what they cover is measured. Then come those that
are marked `busy`, as many at once: whole programs that run for long, most of them others that use the product, which
keep the machine busy themselves. Last, in one process, comes what is marked `alone`, because it measures time or
memory. A few that failed beside others run once more alone, so that a busy machine's delay is told from a fault; those
that pass only then are counted apart.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from xml.etree import ElementTree

import psutil

from harvester.process_trees import become_subreaper, reap_orphans
from tests.needs import provide

LEAST_COVERAGE = 85  # percent, branches counted
COVERAGE = (sys.executable, "-m", "coverage")
SIDE_BY_SIDE = (os.cpu_count() or 1) + 2  # the tests spend a part of their time waiting
PYTEST = (sys.executable, "-m", "pytest")
MEASURED = (*COVERAGE, "run", "-m", "pytest")
# In the order of their folders: long files with few tests would come last otherwise, and keep one process busy alone.
PROCESSES = ("--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "1")
BESIDE_OTHERS = ("-m", "not alone and not busy", "-n", str(SIDE_BY_SIDE), *PROCESSES)
AGAIN = ("-m", "not alone and not busy", "--last-failed", "-n", "1", *PROCESSES)
BUSY = ("-m", "busy", "-n", str(SIDE_BY_SIDE), *PROCESSES)
ALONE = ("-m", "alone", "-n", "1", *PROCESSES)
READ = ("--collect-only", "-qq", "-p", "no:cacheprovider")
MOST_AGAIN = 8  # where more fail, it is not the machine
STAGE_SECONDS = 1800  # twice what one takes; what has not ended by then hangs
FAILED, NOTHING_SELECTED, HANGS = 1, 5, -signal.SIGKILL  # exit codes, the first two of pytest
TOLD = ("failed", "passed", "passed only alone", "skipped", "errors")  # in pytest's order


def main() -> int:
    """Run the tests; the exit code is non-zero unless all passed and enough was covered."""
    with compiling(Path(__file__).parent):
        is_provided = provide()
    if not is_provided:
        return 1
    become_subreaper()
    subprocess.run((*COVERAGE, "erase"), check=True)  # what a run that was killed left behind
    tests = run_all(sys.argv[1:])
    subprocess.run((*COVERAGE, "combine", "--quiet"), check=False)
    limit = () if sys.argv[1:] else (f"--fail-under={LEAST_COVERAGE}",)  # a part of the tests covers a part
    report = subprocess.run((*COVERAGE, "report", *limit), check=False)
    return tests or report.returncode


@contextmanager
def compiling(tests: Path) -> Iterator[None]:
    """In a fresh clone, have one process compile the files of *tests* while the block runs.

    Otherwise all processes that run them start by compiling them at once, each for itself.
    """
    if any(tests.rglob("*-pytest-*.pyc")):
        yield
        return
    with subprocess.Popen(
        (*PYTEST, *READ, tests), env=compiled_once(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ):
        yield


def compiled_once() -> dict[str, str]:
    """The environment, in which what is compiled is kept: hundreds of programs would each compile everything anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_all(options: Sequence[str]) -> int:
    """Run what is selected in its stages, and close with one line for all of them, as pytest does for each."""
    # Development mode without its allocator, which looks for faults in C and takes a twentieth of the time.
    environment = {**compiled_once(), "PYTHONDEVMODE": "1", "PYTHONMALLOC": "pymalloc"}
    begun = monotonic()
    beside, counts = run_tests((*MEASURED, *options, *BESIDE_OTHERS), environment)
    if may_be_disturbed(beside, faults := counts["failed"] + counts["errors"]):
        print("\nwhat failed beside others runs once more, alone:", flush=True)
        beside, again = run_tests((*MEASURED, *options, *AGAIN), environment)
        counts["failed"], counts["errors"] = again["failed"], again["errors"]
        counts["passed only alone"] = faults - again["failed"] - again["errors"]
    busy, busy_counts = run_tests((*PYTEST, *options, *BUSY), environment)
    alone, alone_counts = run_tests((*PYTEST, *options, *ALONE), environment)
    print(closing_line(counts + busy_counts + alone_counts, monotonic() - begun), flush=True)
    return outcome((beside, busy, alone))


def may_be_disturbed(code: int, faults: int) -> bool:
    """Whether the tests that failed beside others, so many, may have done so because of these."""
    return code == FAILED and faults <= MOST_AGAIN


def run_tests(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, Counter[str]]:
    """Run pytest by *command*: its exit code, and how many tests passed, failed and so on."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        return run_stage((*command, f"--junitxml={report}"), environment), counted(report)


def run_stage(command: Sequence[str], environment: Mapping[str, str], seconds: float = STAGE_SECONDS) -> int:
    """Run *command*, for *seconds* at most; its exit code. What it leaves running is told and ended.

    Otherwise whoever reads the output of all to its end, as `tee` does, would wait for what was left.
    """
    before = set(psutil.Process().children(recursive=True))
    try:
        code = subprocess.run(command, env=environment, check=False, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        print(f"\nnot done after {seconds} s", flush=True)
        code = HANGS
    reap_orphans([process.pid for process in before])
    left = set(psutil.Process().children(recursive=True)) - before
    for process in left:
        with suppress(psutil.NoSuchProcess):
            print(f"left running: {' '.join(process.cmdline())[:200]}", flush=True)
            process.kill()
    psutil.wait_procs(left, 5)
    return code


def counted(report: Path) -> Counter[str]:
    """How many tests passed, failed and so on, by a report in JUnit's form; nothing where a run left none."""
    if not report.exists():
        return Counter()
    told = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ElementTree.parse(report).iter("testsuite"):
        for name in told:
            told[name] += int(suite.attrib[name])
    passed = told["tests"] - told["failures"] - told["errors"] - told["skipped"]
    return Counter(failed=told["failures"], passed=passed, skipped=told["skipped"], errors=told["errors"])


def closing_line(counts: Counter[str], seconds: float) -> str:
    """What all runs came to, in the form of pytest's own last line."""
    told = ", ".join(f"{counts[name]} {name}" for name in TOLD if counts[name]) or "no tests ran"
    return f" {told} in {seconds:.2f}s ".center(80, "=")


def outcome(codes: Sequence[int]) -> int:
    """The exit code of all runs: that of the first that failed; one may have had nothing to do, but not every one."""
    failed = [code for code in codes if code not in (0, NOTHING_SELECTED)]
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    sys.exit(main())
