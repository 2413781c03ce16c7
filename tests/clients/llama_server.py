"""llama.cpp's server as a process, with a tiny model: the one on the search path, or else that of a Python package."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.installed import LLAMA_CPP
from tests.clients.server_process import running_server
from tests.clients.tiny_model import CONTEXT, write_model

MODEL = "tiny"
OWN = shutil.which("llama-server")


def is_there() -> bool:
    """Whether a server is installed."""
    return OWN is not None or LLAMA_CPP.is_there()


@contextmanager
def running_llama(directory: Path, port: int) -> Iterator[str]:
    """Run the server on *port*; yield its base URL. It has two slots of `CONTEXT` tokens each."""
    path = directory / "tiny.gguf"
    write_model(path)
    script = (LLAMA_CPP.python, "-m", "tests.clients.scripts.llama_cpp")
    options = (
        "--model",
        path,
        "--alias",
        MODEL,
        "--port",
        str(port),
        "--ctx-size",
        str(2 * CONTEXT),
        "--parallel",
        "2",
    )
    command = (OWN or "", "--host", "127.0.0.1", "--threads", "1", "--jinja")
    with running_server((*(command if OWN else script), *options), directory, f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}/v1"
