"""Proxies and harvesters in networks of their own, one of which is cut off."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cli.processes import ROOT
from tests.end_to_end.networks import command_in_fresh_namespaces

SECONDS = 110


@pytest.mark.usefixtures("as_users_run_it")
async def test_a_cut_off_proxy_and_harvester_are_replaced_by_the_others_and_catch_up(
    tmp_path: Path,
) -> None:
    command = command_in_fresh_namespaces(sys.executable, "-m", "tests.end_to_end.network_partition", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()  # and with it all that runs in its namespaces

    print(output.decode())
    assert process.returncode == 0, output.decode()
