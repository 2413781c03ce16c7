"""The programs' own packages: an environment for each that is written in Python, and one directory for Node.js."""

import subprocess
import sys
from pathlib import Path
from shutil import rmtree

from tests.clients.installed import MARK, NODE_PACKAGES, ROOT, has_node_packages, install_node_packages, node_home

NODE_DIRECTORY = Path(__file__).parent / "node"
PYTHON_PROGRAMS = {"aider": "aider-chat==0.86.2", "open-webui": "open-webui==0.12.4"}
NATIVE = {"claude": "@anthropic-ai/claude-code-linux-x64/claude", "opencode": "opencode-linux-x64/bin/opencode"}
ENVIRONMENTS = ROOT / ".clients-programs"
UV = Path(sys.executable).with_name("uv")


def python_program(name: str) -> Path:
    """Path of a Python program, installed if it is missing."""
    environment, requirement = ENVIRONMENTS / name, PYTHON_PROGRAMS[name]
    mark = environment / MARK
    if not mark.exists() or mark.read_text() != requirement:
        rmtree(environment, ignore_errors=True)
        subprocess.run((UV, "venv", "--quiet", "--python", sys.executable, environment), check=True)
        subprocess.run((UV, "pip", "install", "--quiet", "--python", environment, requirement), check=True)
        mark.write_text(requirement)
    return environment / "bin" / name


def node_program(name: str) -> tuple[Path, ...]:
    """Path of a Node.js program; all Node.js packages are installed if they are missing."""
    if not has_node_packages(NODE_DIRECTORY):
        install_node_packages(NODE_DIRECTORY)
    packages = NODE_DIRECTORY / NODE_PACKAGES
    if name in NATIVE:  # a program by itself, without the script that picks it
        return (packages / NATIVE[name],)
    return (node_home() / "bin" / "node", packages / ".bin" / name)
