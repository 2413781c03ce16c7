"""`python -m tests.benchmarks [names]`: run the long checks and print what they measured as one table.

Without names all are run, but for those that download gigabytes: these have to be named.
"""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass

from tests.figures import PREFIX
from tests.needs import provide


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Tests to run in their long form: what to select, and the variables that make them long."""

    select: tuple[str, ...]
    environment: dict[str, str]
    only_by_name: bool = False


BENCHMARKS = {
    "start": Benchmark(("tests/end_to_end/test_main_job.py",), {}),
    "visits": Benchmark(("tests/harvester/service/test_many_visits.py",), {"TEST_VISITS": "100"}),
    "visit": Benchmark(("tests/harvester/visit/test_visit_cost.py",), {"TEST_VISIT_ROUNDS": "5"}),
    "kills": Benchmark(
        ("tests/end_to_end/test_kills.py", "tests/harvester/service/test_service.py"), {"TEST_KILLS": "20"}
    ),
    "speed": Benchmark(("tests/speed",), {"TEST_SPEED": "3"}),
    "redis": Benchmark(("tests/shared/store/test_processes.py", "-k", "tenth_of_a_second"), {}),
    "workers": Benchmark(
        ("tests/proxy/server/test_workers.py", "tests/proxy/server/test_workers_cost.py"), {"TEST_STREAMS": "100"}
    ),
    "slots": Benchmark(("tests/proxy/upstreams/test_shared_slots.py", "tests/end_to_end/test_networks.py"), {}),
    "fuzz": Benchmark(
        ("tests/proxy/fuzzing", "tests/proxy/api/test_mutated_requests.py"),
        {"TEST_FUZZ_EXAMPLES": "300", "TEST_MUTATIONS": "100000"},
    ),
    "histories": Benchmark(("tests/proxy/chat/test_random_histories.py",), {"TEST_HISTORIES": "50000"}),
    "soak": Benchmark(("tests/soak",), {"TEST_SOAK": "900"}),
    "programs": Benchmark(("tests/clients/programs/check_programs.py",), {}, only_by_name=True),
    "memory": Benchmark(("tests/proxy/chat/test_memory.py",), {}),
}


def machine() -> str:
    """The machine the figures belong to."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main(names: list[str]) -> int:
    """Run the named benchmarks, without names all that need none; non-zero if one failed."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    if not provide():
        return 1
    failed = 0
    figures: list[str] = []
    for name in names or [name for name, each in BENCHMARKS.items() if not each.only_by_name]:
        benchmark = BENCHMARKS[name]
        command = (
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "--timeout",
            "1800",
            "-o",
            "faulthandler_timeout=1860",
            *benchmark.select,
        )
        environment = {**benchmark.environment, **os.environ}  # a person may want them longer
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        print(run.stdout if run.returncode else f"{name}: passed", flush=True)
        failed += run.returncode != 0
        figures += [f"| {name} | {line.removeprefix(PREFIX).replace(' = ', ' | ')} |" for line in _figures(run.stdout)]
    print(f"\n{machine()}\n\n| benchmark | what | measured |\n|---|---|---|", *figures, sep="\n")
    return failed


def _figures(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(PREFIX)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
