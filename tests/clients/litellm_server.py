"""LiteLLM's proxy as a process: a server of others behind ours, with answers of its own and models of a peer's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.installed import LITELLM_PROXY
from tests.clients.server_process import running_server

KEY = "sk-of-litellm-0123456789"
ANSWER = "Grüß Gott, 世界! 😀\n```python\nprint('a < b')\n```"
# By its names for them: what it says itself, and what it passes on.
MOCKED = {
    "mocked": ANSWER,
    "limited": "litellm.RateLimitError",
    "too-long": "litellm.ContextWindowExceededError",
    "broken": "litellm.InternalServerError",
    "breaks-off": "Exception: mock_streaming_error",
}
RELAYED, GONE = "relayed", "gone"


@contextmanager
def running_litellm(directory: Path, port: int, peer_port: int) -> Iterator[str]:
    """LiteLLM's proxy on *port*; its base URL. `RELAYED` and `GONE` are models of an OpenAI server on *peer_port*."""
    config = directory / "config.yaml"
    config.write_text(json.dumps(_config(f"http://127.0.0.1:{peer_port}/v1"), ensure_ascii=False), "utf-8")
    command = (
        LITELLM_PROXY.python.with_name("litellm"),
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )
    with running_server(command, directory, f"http://127.0.0.1:{port}/health/liveliness"):
        yield f"http://127.0.0.1:{port}/v1"


def _config(peer: str) -> dict[str, Any]:
    models = [_model(name, "whatever", mock_response=answer) for name, answer in MOCKED.items()]
    models += [_model(RELAYED, "tiny", api_base=peer), _model(GONE, "gone", api_base=peer)]
    return {
        "model_list": models,
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "general_settings": {"master_key": KEY},
    }


def _model(name: str, model: str, **fields: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"openai/{model}", "api_key": "unused", **fields}}
