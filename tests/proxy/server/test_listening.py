"""The sockets that the proxy listens on, opened in a process of their own: the tests' own looks up no address."""

import asyncio
import sys

ALL_OPENED = """
import socket
import psutil
from proxy.server.listening import open_sockets
for interface in psutil.net_if_addrs().values():
    for each in interface:
        if each.family in (socket.AF_INET, socket.AF_INET6):
            for opened in open_sockets((each.address,), 0):
                opened.close()
            print(each.address)
"""
OPENED = """
from proxy.server.listening import open_sockets
print([each.getsockname()[0] for each in open_sockets(("127.0.0.1", "192.0.2.1"), 0)])
open_sockets(("192.0.2.1", "127.0.0.1"), 0)
"""


async def run_python(script: str) -> tuple[str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, errors = await process.communicate()
    return printed.decode(), errors.decode()


async def test_a_machine_without_ipv6_is_served_on_what_it_has() -> None:
    """192.0.2.1 stands for ::1 there: an address of no interface, which only the first must not be."""
    printed, errors = await run_python(OPENED)

    assert printed.split() == ["['127.0.0.1']"]
    assert errors.endswith("] Cannot assign requested address\n")


async def test_each_address_of_this_machine_can_be_listened_on() -> None:
    """Also one that needs its interface named, as `fe80::1%eth0` does."""
    printed, errors = await run_python(ALL_OPENED)

    assert "127.0.0.1" in printed.split()
    assert errors == ""
