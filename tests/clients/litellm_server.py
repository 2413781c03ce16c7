"""LiteLLM's proxy as a process: a server of others behind ours, with answers of its own and models of a peer's."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.clients.installed import LITELLM_PROXY
from tests.clients.running import environment

KEY = "sk-of-litellm-0123456789"
ANSWER = "Grüß Gott, 世界! 😀\n```python\nprint('a < b')\n```"
START_SECONDS = 120.0
STOP_SECONDS = 10.0
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
    log = directory / "log"
    program = LITELLM_PROXY.python.with_name("litellm")
    command = (program, "--config", config, "--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(directory), cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/health/liveliness", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until it answers."""
    last = monotonic() + START_SECONDS
    while monotonic() < last:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-4000:]
        try:
            with urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            sleep(0.2)
    raise AssertionError(f"not there in time:\n{log.read_text('utf-8', 'replace')[-4000:]}")
