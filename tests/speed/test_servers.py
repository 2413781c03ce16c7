"""What a server's stream costs, beside a site's."""

from dataclasses import replace

import pytest

from tests.figures import figure
from tests.speed.load import Work
from tests.speed.targets import Target, measure
from tests.speed.test_speed import MILLION, ROUNDS
from tests.speed.test_tools import NOISE, proxy

__all__ = ["proxy"]  # a fixture
SERVERS_MODEL = "stub/m"
LIMIT = 1.1  # none, but for what differs from run to run

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("as_users_run_it")]


@pytest.mark.parametrize("pause", [0, 20_000] if ROUNDS else [0])
async def test_a_token_of_a_server_costs_no_more_than_one_of_a_site(proxy: Target, pause: int) -> None:
    streams = 400 if pause else 64
    requests = streams if pause or not ROUNDS else 8 * streams
    work = Work(port=proxy.port, at_once=streams, requests=requests, tokens=300 if ROUNDS else 50, pause=pause)
    used: dict[str, list[float]] = {work.model: [], SERVERS_MODEL: []}
    for _ in range(max(ROUNDS, 1)):
        for model, found in used.items():
            run = await measure(proxy, replace(work, model=model))
            assert run.outcome.faults == []
            assert run.outcome.whole == work.requests
            found.append(run.cpu * MILLION / (work.requests * work.tokens))
    site, server = (min(found) for found in used.values())  # what else the machine does only adds to it

    name = f"a token of a server's stream{f', {pause // 1000} ms apart' if pause else ''}"
    figure(name, f"{server:.1f} µs CPU, of a site's {site:.1f}, {server / site:.2f} x")
    assert server < site * LIMIT * NOISE
