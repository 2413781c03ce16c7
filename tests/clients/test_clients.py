"""Every client does what its users do, set up as the README says, and the proxy knows none of them."""

import asyncio
import re
from time import monotonic

import pytest

from tests.clients.installed import ROOT
from tests.clients.running import (
    AT_ONCE,
    DIALOGUE,
    NEXT,
    NOTED,
    STREAMED,
    UNKNOWN_MODEL,
    Client,
    Outcome,
    run_all,
    table,
)
from tests.figures import figure

REFUSALS = {
    "unknown_model": (f"The model '{UNKNOWN_MODEL}' does not exist here", "model_not_found"),
    "wrong_key": ("Incorrect API key provided", "invalid_api_key"),
}
CLIENTS = (  # the slowest come first
    Client("`llm`", "llm_command.py", "LlmFailed", "LlmFailed", tells_code=False),
    Client("LiteLLM", "litellm_completion.py", "NotFoundError", "AuthenticationError", tells_code=False),
    Client("pydantic-ai", "pydantic_agent.py", "ModelNotFoundError", "ModelAuthenticationError"),
    Client("LangChain", "langchain_chat.py", "OpenAIModelNotFoundError", "OpenAIAuthenticationError"),
    Client("openai-python", "openai_sync.py", "NotFoundError", "AuthenticationError"),
    Client("openai-python", "openai_conversation.py", "NotFoundError", "AuthenticationError"),
    Client("openai-python, environment", "openai_async.py", "NotFoundError", "AuthenticationError"),
    Client("openai-node", "openai_node.mjs", "NotFoundError", "AuthenticationError"),
    Client("Vercel AI SDK", "ai_sdk.mjs", "AI_APICallError", "AI_APICallError"),
    Client("Vercel AI SDK, Responses", "ai_sdk.mjs", "AI_APICallError", "AI_APICallError"),
)
# The first test waits for all clients, several of which run at once and keep the machine busy.
pytestmark = [pytest.mark.busy, pytest.mark.timeout(600)]
every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: f"{client.row}-{client.script}")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Client, Outcome]:
    """What all clients did, told by one run of each."""
    start = monotonic()
    found = asyncio.run(run_all(CLIENTS, tmp_path_factory.mktemp("clients")))
    each = ", ".join(f"{client.script} {outcome.seconds:.1f}" for client, outcome in found.items())
    figure("seconds that all clients took", f"{monotonic() - start:.1f} ({AT_ONCE} at once: {each})")
    return found


@every_client
def test_a_streamed_turn_arrives_complete_and_in_chunks_as_they_come(
    client: Client, outcomes: dict[Client, Outcome]
) -> None:
    stream = outcomes[client].of("stream")

    assert "".join(stream["pieces"]).removesuffix("\n") == STREAMED
    assert len(stream["pieces"]) > 1
    assert stream["seconds"] > 0.1


@every_client
def test_the_third_turn_knows_the_first_two(client: Client, outcomes: dict[Client, Outcome]) -> None:
    first, second, recalled = outcomes[client].of("memory")["answers"]

    assert (first, second.removesuffix("\n")) == (NOTED, "So it is.")
    dialogue = [DIALOGUE[0], NOTED, DIALOGUE[1], "So it is.", DIALOGUE[2]]
    assert [recalled.count(text) for text in dialogue if text not in DIALOGUE] == [2, 2]  # asked for, and answered
    assert re.search(".*".join(map(re.escape, dialogue)), recalled, re.DOTALL)


@every_client
@pytest.mark.parametrize("scenario", REFUSALS)
def test_a_refusal_is_the_clients_own_error(client: Client, outcomes: dict[Client, Outcome], scenario: str) -> None:
    failure = outcomes[client].of(scenario)
    text, code = REFUSALS[scenario]

    assert failure["error"] == getattr(client, scenario)
    assert text in failure["text"]
    assert not client.tells_code or code in (failure["code"] or failure["text"])


@every_client
@pytest.mark.usefixtures("as_from_a_terminal")
def test_a_turn_that_is_left_is_dropped_at_the_site_and_the_next_one_answered(
    client: Client, outcomes: dict[Client, Outcome]
) -> None:
    outcome = outcomes[client]

    assert outcome.of("left")["after"].startswith("word1")
    assert outcome.left_open == 0
    assert outcome.drop_seconds < 2.0
    assert outcome.of("cancel")["answer"] == NEXT


def test_every_row_of_the_readme_is_run_and_the_same_in_both_languages() -> None:
    english, chinese = table("README.md"), table("README.zh-CN.md")

    assert set(english) == {client.row for client in CLIENTS}
    assert list(english.values()) == list(chinese.values())


def test_the_proxy_knows_no_client() -> None:
    names = re.compile(
        "langchain|litellm|pydantic.ai|simonw|vercel|ai.sdk|x-stainless|open.?webui|lobe|user-agent", re.IGNORECASE
    )
    asking = {  # name the proxy itself to those whom they ask
        ROOT / "proxy" / "api" / "images" / "download.py",
        ROOT / "proxy" / "upstreams" / "openai_server" / "server.py",
    }
    sources = {path: path.read_text("utf-8") for path in (ROOT / "proxy").rglob("*.py") if path not in asking}

    assert sources
    assert [(str(path), hit[0]) for path, text in sources.items() for hit in names.finditer(text)] == []
