"""Gives its network, a fresh one, public addresses, and tries to fetch from each of them.

The last two are none of its own: they stand for another machine on the link of the one before, and for one that is far
away, though its address is within the mask that the link was given.

Prints as JSON, for each address, whether a connection came with the rule that users have, and with one that lets
everything public pass.
"""

import asyncio
import json
import subprocess
from contextlib import suppress

from proxy.api.images.addresses import is_public
from proxy.api.images.download import AddressRule, Downloader, DownloadFailed, is_elsewhere

OWN = ("11.22.33.44", "2606:4700:77::1/32")
NEAR, FAR = "2606:4700:77:1::5", "2606:4700:78::5"
ADDRESSES = ("11.22.33.44", "2606:4700:77::1", NEAR, FAR)
RULES: dict[str, AddressRule] = {"users": is_elsewhere, "public": is_public}


async def arrives(address: str, rule: AddressRule) -> bool:
    """Whether any data of a fetch from *address* arrives there."""
    came = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        writer.close()

    is_6 = ":" in address
    server = await asyncio.start_server(serve, "::" if is_6 else address)
    host = f"[{address}]" if is_6 else address
    async with server, Downloader(1024, allowed=rule) as downloader:
        with suppress(DownloadFailed):
            await downloader.get(f"http://{host}:{server.sockets[0].getsockname()[1]}/one.png")
    return came.is_set()


async def main() -> None:
    """Try each address with each rule."""
    found = {address: {name: await arrives(address, rule) for name, rule in RULES.items()} for address in ADDRESSES}
    print(json.dumps(found))


if __name__ == "__main__":
    own = [f"address add {address} dev lo" for address in OWN]
    for command in ("link set lo up", *own, *(f"route add local {address} dev lo" for address in (NEAR, FAR))):
        subprocess.run(["ip", *command.split()], check=True)
    asyncio.run(main())
