"""Fetches the address given as argument in a process of its own, which trusts what SSL_CERT_FILE says; every name is
127.0.0.1. Prints what came, or what went wrong."""

import asyncio
import sys

from proxy.api.images.download import Downloader, DownloadFailed
from tests.pictures import public_or_here
from tests.proxy.api.name_server import answering


async def main() -> None:
    """Fetch once."""
    async with Downloader(1024, allowed=public_or_here, lookup=answering("127.0.0.1")) as downloader:
        try:
            print(await downloader.get(sys.argv[1]))
        except DownloadFailed as error:
            print(type(error.__cause__).__name__)


asyncio.run(main())
