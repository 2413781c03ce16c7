"""The locked packages are what pyproject.toml asks for, with hashes, and name no place to get them from."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUNTIME: list[str] = PROJECT["dependencies"]
DEV: list[str] = PROJECT["optional-dependencies"]["dev"]


def locked(name: str) -> dict[str, str]:
    """The version of every package in the lock file *name*."""
    text = (ROOT / name).read_text("utf-8")
    return {
        canonicalize_name(package): version
        for package, version in re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("file", "requirements"), [("requirements.txt", RUNTIME), ("requirements-dev.txt", RUNTIME + DEV)]
)
def test_every_dependency_is_locked_to_a_version_that_fits(file: str, requirements: list[str]) -> None:
    versions = locked(file)

    for requirement in map(Requirement, requirements):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_tests_run_on_the_versions_that_users_get() -> None:
    assert locked("requirements.txt").items() <= locked("requirements-dev.txt").items()


CLIENTS = [
    ("tests/clients/requirements.in", "tests/clients/requirements.txt"),
    ("tests/clients/older.in", "tests/clients/older.txt"),
    ("tests/clients/litellm_proxy.in", "tests/clients/litellm_proxy.txt"),
    ("tests/clients/llama_cpp.in", "tests/clients/llama_cpp.txt"),
]
LOCKS = ["requirements.txt", "requirements-dev.txt", "tests/audit/requirements.txt", *(lock for _, lock in CLIENTS)]


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_file_has_hashes_and_names_no_place(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    entries = re.findall(r"^\S+==.*(?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+$", text, re.MULTILINE)

    assert len(entries) == len(re.findall(r"^[^#\s]+==", text, re.MULTILINE)) > 0
    assert "://" not in text
    assert re.findall(r"^-.*", text, re.MULTILINE) == []


@pytest.mark.parametrize(("source", "lock"), CLIENTS)
def test_every_client_is_locked_to_a_version_that_fits(source: str, lock: str) -> None:
    lines = (ROOT / source).read_text("utf-8").splitlines()
    requirements = [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]
    versions = locked(lock)

    assert requirements
    for requirement in requirements:
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


@pytest.mark.parametrize("directory", ["tests/clients/node", "tests/clients/programs/node"])
def test_the_node_packages_have_hashes_and_name_no_place(directory: str) -> None:
    lock = json.loads((ROOT / directory / "package-lock.json").read_text("utf-8"))["packages"]
    package = json.loads((ROOT / directory / "package.json").read_text("utf-8"))
    root = lock.pop("")

    assert root["dependencies"] == package["dependencies"]
    assert lock
    assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in lock.values())
