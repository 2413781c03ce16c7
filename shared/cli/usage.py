"""`freeaichat usage`: usage, read from the store itself."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import time
from typing import Any, Literal

import click

from shared.admin import usage_admin, wire
from shared.cli import text
from shared.cli.failures import Failure, read_settings, run_with_store

Row = dict[str, Any]
_FIGURES = ("requests", "refused", "tokens_in", "tokens_out", "ms_p50", "ms_p95", "ttft_ms_p50", "ttft_ms_p95")


def show(since: str, until: str | None, by: str, *, style: Literal["table", "json", "csv"]) -> None:
    """Print the usage. Raises `Failure`."""
    try:
        query = wire.parse_usage_query(since, until or "", by, now=time())
    except ValueError as error:
        raise Failure(str(error)) from error
    rows = run_with_store(read_settings(), lambda store: usage_admin.rows(store, query))
    if style == "json":
        click.echo(json.dumps(wire.usage_list(rows), ensure_ascii=False))
    elif style == "csv":
        click.echo(_as_csv(rows, query.by), nl=False)
    else:
        for line in _lines(rows, query.by):
            click.echo(line)


def _as_csv(rows: Sequence[Row], by: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*by, *_FIGURES, "errors", "tools"])
    for row in rows:
        counts = (_counts(row[name]) for name in ("errors", "tools"))
        writer.writerow([*(_safe(row[name]) for name in (*by, *_FIGURES)), *counts])
    return out.getvalue()


def _lines(rows: Sequence[Row], by: Sequence[str]) -> Iterator[str]:
    if not rows:
        yield "nothing was used in this time; `--since` sets how far back to look"
        return
    head = [*by, "requests", "refused", "in", "out", "p50", "p95", "first", "tools", "errors"]
    body = [
        [
            *(_label(name, row[name]) for name in by),
            str(row["requests"]),
            str(row["refused"]),
            *(f"{row[name]:,}" for name in ("tokens_in", "tokens_out")),
            *(_time(row[name]) for name in ("ms_p50", "ms_p95", "ttft_ms_p50")),
            _counts(row["tools"]) or "-",
            # Last, since many kinds are wider than a screen, and the lines without them are not to be as wide.
            click.style(_counts(row["errors"]) or "0", fg="red" if row["errors"] else None),
        ]
        for row in rows
    ]
    yield from text.table([[click.style(word, bold=True) for word in head], *body], indent="")
    yield "in, out: tokens, estimated where a site answered, since it names none"
    yield "p50, p95: time of a request; first: until its first text, p50"
    yield "tools: calls of tools and JSON by a schema: valid at once, mended, asked for again (retried), failed"


def _label(name: str, value: str | int) -> str:
    if name == "hour":
        return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%d %H:00")
    shown = str(value)
    if name == "site":  # an origin, of which the host is shown, or the name of a server
        shown = shown.rpartition("://")[2]
    return shown or "-"


def _safe(value: object) -> object:
    """*value* quoted, so that no spreadsheet takes it for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in set("=+-@") else value


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{kind}={count}" for kind, count in counts.items() if count)


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
