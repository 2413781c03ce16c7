"""Gives its network, a fresh one, public addresses, and tries to fetch from itself by each of them.

Prints as JSON, for each address, whether a connection came with the rule that users have, and with one that lets
everything public pass.
"""

import asyncio
import json
import subprocess
from contextlib import suppress

from proxy.api.images.addresses import is_public
from proxy.api.images.download import AddressRule, Downloader, DownloadFailed, is_elsewhere

ADDRESSES = ("11.22.33.44", "2606:4700:77::1")
RULES: dict[str, AddressRule] = {"users": is_elsewhere, "public": is_public}


async def arrives(address: str, rule: AddressRule) -> bool:
    """Whether anything of a fetch from *address* arrives at it."""
    came = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        writer.close()

    server = await asyncio.start_server(serve, address)
    host = f"[{address}]" if ":" in address else address
    async with server, Downloader(1024, allowed=rule) as downloader:
        with suppress(DownloadFailed):
            await downloader.get(f"http://{host}:{server.sockets[0].getsockname()[1]}/one.png")
    return came.is_set()


async def main() -> None:
    """Try each address with each rule."""
    found = {address: {name: await arrives(address, rule) for name, rule in RULES.items()} for address in ADDRESSES}
    print(json.dumps(found))


if __name__ == "__main__":
    for command in ("link set lo up", *(f"address add {address} dev lo" for address in ADDRESSES)):
        subprocess.run(["ip", *command.split()], check=True)
    asyncio.run(main())
