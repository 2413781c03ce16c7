"""The command line, the one place above both services: starts them, and otherwise uses the store or HTTP.

Nothing is imported here: the supervisor lives in this package too, and has to stay small.
"""


def main() -> None:
    """Run `freeaichat` with the arguments of this process, and exit."""
    import errno
    import sys

    try:
        from shared.cli.app import freeaichat

        open_missing_streams()
        accept_any_encoding()
        freeaichat()
    except KeyboardInterrupt:
        sys.exit("\nAborted!")  # as Click says it, which was not there yet
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"freeaichat: this cannot be written: {error.strerror}")


def open_missing_streams() -> None:
    """Open the null device for each closed standard stream, so that no other file gets its descriptor."""
    import os
    import sys

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode))


def accept_any_encoding() -> None:
    """Write `?` for characters that the terminal's encoding lacks."""
    import sys
    from io import TextIOWrapper

    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
