"""Which command starts which part, and what the exit codes of the services mean."""

import sys

EXIT_STORE_AWAY = 1  # the store cannot be used just now
EXIT_SETTINGS = 2  # settings or store cannot be used: trying again changes nothing
EXIT_PORT_TAKEN = 4

FINAL_EXITS = {
    EXIT_SETTINGS: "its settings or its store cannot be used (its own message stands above)",
    EXIT_PORT_TAKEN: "its port is taken; stop what listens there or set FREEAICHAT_PORT to a free one",
}


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs *module* with this interpreter.

    `-P` keeps the working directory off the module path: a user's own `proxy.py` is not our proxy.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
