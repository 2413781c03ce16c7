"""The tables of the SQLite store, as an append-only list of migrations.

`PRAGMA user_version` counts the migrations applied to a file; `PRAGMA application_id` marks it as ours.
"""

import sqlite3
from collections.abc import Sequence

APPLICATION_ID = 0x46414943  # "FAIC"

Migration = tuple[str, ...]  # the statements of one step

MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE sites (
            site TEXT PRIMARY KEY,
            generation INTEGER NOT NULL,
            current TEXT NOT NULL,  -- Credentials as JSON
            good_generation INTEGER,
            last_good TEXT,  -- Credentials as JSON
            bots TEXT NOT NULL,  -- list of Bot as JSON
            identity TEXT NOT NULL
        )""",
        """CREATE TABLE asks (
            id INTEGER PRIMARY KEY,
            site TEXT NOT NULL,
            asked_at REAL NOT NULL,
            reason TEXT NOT NULL,
            count INTEGER NOT NULL
        )""",
        "CREATE INDEX asks_by_site ON asks (site)",
        "CREATE TABLE claims (site TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL)",
        """CREATE TABLE visits (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            site TEXT NOT NULL,
            record TEXT NOT NULL,  -- Visit as JSON
            screenshot BLOB
        )""",
        """CREATE TABLE conversations (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            metadata TEXT NOT NULL,
            upstream TEXT,  -- Upstream as JSON
            spoilt INTEGER NOT NULL DEFAULT 0,  -- a turn that was never committed may have touched `upstream`
            pending_turn TEXT,
            crossed INTEGER NOT NULL DEFAULT 0,  -- another turn was committed since `pending_turn` began
            bytes INTEGER NOT NULL  -- what it counts for towards the limit of what is kept
        )""",
        "CREATE INDEX conversations_by_age ON conversations (updated_at, bytes)",
        """CREATE TABLE messages (
            number INTEGER PRIMARY KEY,
            conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
            role TEXT NOT NULL,
            text BLOB NOT NULL,  -- UTF-8, lone surrogates encoded like any other code point
            images TEXT NOT NULL  -- list of digests as JSON
        )""",
        "CREATE INDEX messages_by_conversation ON messages (conversation)",
        "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
    (
        """CREATE TABLE branches (
            number INTEGER PRIMARY KEY,
            history TEXT NOT NULL,  -- digest
            upstream TEXT NOT NULL,  -- Upstream as JSON
            kept_at REAL NOT NULL
        )""",
        "CREATE INDEX branches_by_history ON branches (history)",
        "CREATE INDEX branches_by_age ON branches (kept_at)",
    ),
    (
        "ALTER TABLE messages ADD COLUMN item TEXT NOT NULL DEFAULT ''",  # the message's id in OpenAI's APIs
        "UPDATE messages SET item = 'msg_' || lower(hex(randomblob(24)))",
        "ALTER TABLE conversations ADD COLUMN response TEXT NOT NULL DEFAULT ''",  # of a stored response: its JSON
    ),
    (
        """CREATE TABLE api_keys (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            is_revoked INTEGER NOT NULL DEFAULT 0,
            record TEXT NOT NULL,  -- ApiKey as JSON
            last_used_at REAL
        )""",
        "CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE NOT is_revoked",
        """CREATE TABLE key_requests (
            key TEXT NOT NULL,
            second INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (key, second)
        ) WITHOUT ROWID""",
        """CREATE TABLE key_tokens (
            key TEXT NOT NULL,
            day INTEGER NOT NULL,  -- since 1970, UTC
            count INTEGER NOT NULL,
            PRIMARY KEY (key, day)
        ) WITHOUT ROWID""",
        """CREATE TABLE usage (
            hour INTEGER NOT NULL,  -- its first second, Unix time
            key TEXT NOT NULL,
            model TEXT NOT NULL,
            site TEXT NOT NULL,
            counts TEXT NOT NULL,  -- JSON
            PRIMARY KEY (hour, key, model, site)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE places (
            site TEXT NOT NULL,
            holder TEXT NOT NULL,
            places INTEGER NOT NULL,
            demand INTEGER NOT NULL,
            until REAL NOT NULL,
            PRIMARY KEY (site, holder)
        ) WITHOUT ROWID""",
    ),
    ("ALTER TABLE conversations ADD COLUMN owner TEXT NOT NULL DEFAULT ''",),  # id of a key; '': the master key
    ("ALTER TABLE messages ADD COLUMN tools TEXT NOT NULL DEFAULT ''",),  # calls, and what is a result, as JSON
)


def version(connection: sqlite3.Connection) -> int:
    """The number of migrations applied to the file. Raises sqlite3.Error."""
    return _number(connection, "user_version")


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether this program made the file. Raises sqlite3.Error."""
    return _number(connection, "application_id") == APPLICATION_ID


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply the missing migrations, each in a transaction of its own. Raises sqlite3.Error.

    One that another process has applied meanwhile is skipped.
    """
    for number, statements in enumerate(migrations, start=1):
        if version(connection) >= number:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version(connection) < number:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
