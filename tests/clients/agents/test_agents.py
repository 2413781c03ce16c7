"""Every library calls tools and gets its objects, on the APIs and in the ways that it has."""

import asyncio
from time import monotonic

import pytest

from tests.clients.agents.running import AT_ONCE, LIBRARIES, Library, Outcome, run_all
from tests.clients.agents.scripts import VALUES
from tests.figures import figure

SCENARIOS = [(library, name) for library in LIBRARIES for name in library.scenarios()]
# The first test waits for all libraries, several of which run at once and keep the machine busy.
pytestmark = [pytest.mark.busy, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Library, Outcome]:
    """What all libraries did, told by one run of each."""
    start = monotonic()
    found = asyncio.run(run_all(LIBRARIES, tmp_path_factory.mktemp("agents")))
    each = ", ".join(f"{library.script} {outcome.seconds:.1f}" for library, outcome in found.items())
    figure("seconds that all agents took", f"{monotonic() - start:.1f} ({AT_ONCE} at once: {each})")
    return found


@pytest.mark.parametrize(
    ("library", "name"), SCENARIOS, ids=[f"{library.script}-{name}" for library, name in SCENARIOS]
)
def test_a_library_gets_what_the_model_meant(library: Library, name: str, outcomes: dict[Library, Outcome]) -> None:
    outcome = outcomes[library]

    assert name in outcome.results, outcome.output
    assert outcome.results[name] == {"value": VALUES[library.scenarios()[name]]}


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.script)
def test_every_library_goes_through_what_its_script_holds(library: Library, outcomes: dict[Library, Outcome]) -> None:
    assert list(outcomes[library].results) == list(library.scenarios())
