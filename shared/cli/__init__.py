"""The command line, the one place above both services: starts them, and otherwise uses the store or HTTP.

Nothing is imported here: the supervisor lives in this package too, and has to stay small.
"""


def main() -> None:
    """Run `freeaichat` with the arguments of this process, and exit."""
    from shared.cli.app import freeaichat

    freeaichat()
