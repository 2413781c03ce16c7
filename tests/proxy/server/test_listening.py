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
names = [each.getsockname() for each in open_sockets(("127.0.0.1", "127.0.0.2", "192.0.2.1"), 0)]
print(*(name for name, _ in names), len({port for _, port in names}), names[0][1] > 1023)
open_sockets(("192.0.2.1", "127.0.0.1"), 0)
"""

ONE_IN_USE = """
import socket
from proxy.server.listening import open_sockets
with socket.create_server(("127.0.0.2", 0)) as taken:
    open_sockets(("127.0.0.1", "127.0.0.2"), taken.getsockname()[1])
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

    assert printed.split() == ["127.0.0.1", "127.0.0.2", "1", "True"]  # on one port, of the system's choice
    assert errors.endswith("] Cannot assign requested address\n")


async def test_an_address_whose_port_is_in_use_is_not_left_out() -> None:
    _, errors = await run_python(ONE_IN_USE)

    assert "Address already in use" in errors.splitlines()[-1]


async def test_each_address_of_this_machine_can_be_listened_on() -> None:
    """Also one that needs its interface named, as `fe80::1%eth0` does."""
    printed, errors = await run_python(ALL_OPENED)

    assert "127.0.0.1" in printed.split()
    assert errors == ""
