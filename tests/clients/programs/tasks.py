"""The programs that end by themselves: how each is set up and asked to write a file, and what the model then does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.programs.installed import node_program, python_program

KEY, MODEL = "the-key-that-fits", "gpt-4o-mini"
FILE, TEXT = "hello.txt", "你好 <b>& all</b>, from a tool"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one program runs: its home, the directory it works in, and the proxy."""

    home: Path
    work: Path
    base_url: str

    def write(self, name: str, text: str) -> Path:
        """Put a file into the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Task:
    """The command to start, and what the model does for it."""

    command: tuple[str | Path, ...]
    steps: list[dict[str, Any]]
    environment: dict[str, str] = field(default_factory=dict)


def asking(name: str) -> str:
    """The user's prompt."""
    return f"[[script:{name}]] Write the file {FILE}."


def codex(place: Place) -> Task:
    """Codex CLI: the Responses API, one tool for shell commands."""
    place.write(
        ".codex/config.toml",
        f'model = "{MODEL}"\nmodel_provider = "freeaichat"\n[model_providers.freeaichat]\nname = "freeaichat"\n'
        f'base_url = "{place.base_url}"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n',
    )
    options = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    write = {"cmd": f"printf %s '{TEXT}' > {FILE}"}
    return Task(
        (*node_program("codex"), "exec", *options, asking("codex")),
        [{"calls": [["exec_command", write]]}, {"calls": [["exec_command", {"cmd": f"cat {FILE}"}]]}],
    )


def claude_code(place: Place) -> Task:
    """Claude Code: Anthropic's Messages API, to which the base URL leads without `/v1`."""
    path = str(place.work / FILE)
    return Task(
        (*node_program("claude"), "--permission-mode", "acceptEdits", "-p", asking("claude")),
        [{"calls": [["Write", {"file_path": path, "content": TEXT}]]}, {"calls": [["Read", {"file_path": path}]]}],
        {
            "ANTHROPIC_BASE_URL": place.base_url.removesuffix("/v1"),
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_MODEL": MODEL,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    )


def opencode(place: Place) -> Task:
    """opencode: chat completions, and a request for a title beside the first."""
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": place.base_url, "apiKey": KEY},
        "models": {MODEL: {}},
    }
    config = {"provider": {"freeaichat": provider}, "autoupdate": False, "share": "disabled"}
    place.write(".config/opencode/opencode.json", json.dumps(config))
    path = str(place.work / FILE)
    return Task(
        (*node_program("opencode"), "run", "--model", f"freeaichat/{MODEL}", asking("opencode")),
        [{"calls": [["write", {"filePath": path, "content": TEXT}]]}, {"calls": [["read", {"filePath": path}]]}],
        {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"},
    )


def continue_cli(place: Place) -> Task:
    """Continue's `cn`: chat completions."""
    config = place.write(
        "config.yaml",
        f"name: freeaichat\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: {MODEL}\n    provider: openai\n"
        f"    model: {MODEL}\n    apiBase: {place.base_url}\n    apiKey: {KEY}\n    roles: [chat]\n"
        "    capabilities: [tool_use]\n",
    )
    path = str(place.work / FILE)
    return Task(
        (*node_program("cn"), "--config", config, "--auto", "-p", asking("cn")),
        [{"calls": [["Write", {"filepath": path, "content": TEXT}]]}, {"calls": [["Read", {"filepath": path}]]}],
        {"CONTINUE_GLOBAL_DIR": str(place.home / ".continue"), "CONTINUE_TELEMETRY_ENABLED": "0"},
    )


def aider(place: Place) -> Task:
    """aider: no tools; it reads files from the text of the answer."""
    place.write(".aider/caches/model_prices_and_context_window.json", "{}")  # else fetched from afar
    quiet = ("--yes-always", "--no-check-update", "--no-show-model-warnings", "--analytics-disable", "--no-git")
    options = ("--model", f"openai/{MODEL}", *quiet, "--edit-format", "whole", "--message", asking("aider"))
    return Task(
        (python_program("aider"), *options, FILE),
        [{"text": f"So: {TEXT}\n\n{FILE}\n```\n{TEXT}\n```"}],
        {"OPENAI_API_BASE": place.base_url},
    )


PROGRAMS: dict[str, Callable[[Place], Task]] = {
    "claude": claude_code,
    "codex": codex,
    "opencode": opencode,
    "cn": continue_cli,
    "aider": aider,
}
