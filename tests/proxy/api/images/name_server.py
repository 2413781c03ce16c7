"""Names that lead where a test wants them to, and ports that tell whether somebody came."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxy.api.images.download import AddressInfo, Lookup


def answering(*addresses: str) -> Lookup:
    """A name server that gives these addresses for every name."""

    def lookup(_: str, port: int) -> list[AddressInfo]:
        return [
            (socket.AF_INET6, 1, 6, "", (text, port, 0, 0)) if ":" in text else (socket.AF_INET, 1, 6, "", (text, port))
            for text in addresses
        ]

    return lookup


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A listening port; `assert_untouched` checks that nobody connected."""
    with socket.create_server((host, 0)) as listener:
        listener.setblocking(False)
        yield listener


async def assert_untouched(listener: socket.socket) -> None:
    """Fail if a connection came to *listener*."""
    await asyncio.sleep(0.05)
    with pytest.raises(BlockingIOError):
        listener.accept()
