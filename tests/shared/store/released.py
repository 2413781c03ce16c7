"""Stores as released versions wrote them, kept as SQL text in `releases/VERSION.sql`, so that upgrades can be tested.

`python -m tests.shared.store.released` prints the text for the version at hand; a release adds it as
`tests/shared/store/releases/$(python -c 'import shared; print(shared.__version__)').sql`.
"""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from shared.models import Outcome, Visit
from shared.store import Store
from shared.store.sqlite.store import open_sqlite
from tests.shared.samples import SITE, capture, conversation, note, turn

STORES = Path(__file__).with_name("releases")
PRAGMAS = ("application_id", "user_version")
FAILED = Visit(id="visit-1", site=SITE, started_at=1.0, seconds=1.5, outcome=Outcome.TIMEOUT)


async def fill(store: Store) -> None:
    """Put something of each kind into *store*, through the methods that the services use."""
    await store.save_capture(capture(identity='{"origins": []}'), base=0)
    await store.mark_good(SITE, 1)
    await store.begin_visit(SITE, "harvester", at=1.0, ttl=60)
    await store.end_visit(FAILED, "harvester", screenshot=b"a picture")
    await store.ask_visit(SITE, "expired", at=2.0)
    await store.create_conversation(conversation("conv-1"))
    await store.begin_turn("conv-1", "turn-1", at=3.0)
    await store.commit_turn("conv-1", turn("turn-1", "Hello, 视觉 😀", "Good day"))
    await store.update_metadata("conv-1", {"topic": "greetings"}, at=4.0)
    await store.add_copies([("digest", note("copy-2"), 5.0)])
    await store.set_note("a note", "its text")


def write(version: str, path: Path) -> None:
    """Make at *path* the store that *version* left behind."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript((STORES / f"{version}.sql").read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")


async def _text() -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        async with open_sqlite(path) as store:
            await fill(store)
        with closing(sqlite3.connect(path)) as connection:
            numbers = [f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};" for name in PRAGMAS]
            return "\n".join([*connection.iterdump(), *numbers])


if __name__ == "__main__":
    print(asyncio.run(_text()))
