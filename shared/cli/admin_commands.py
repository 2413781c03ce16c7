"""The commands for API keys and what they used: options, help and exit codes."""

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
A_KEY = click.argument("name_or_id", metavar="NAME|ID")


@click.group()
def keys() -> None:
    """API keys for others. They work at once in every proxy on the same store, and end within a second."""


@keys.command("create")
@click.option("--name", required=True, help="What usage, logs and lists call it.")
@click.option("--rpm", type=int, help="Requests a minute; without it as many as the site takes.")
@click.option("--tpd", type=int, help="Tokens a day (UTC), in and out, estimated.")
@click.option("--models", help="The only models it may use, separated by commas.")
@click.option("--expires", "expires_in", metavar="TIME", help="When it ends by itself: 30d, 12h …")
@AS_JSON
def keys_create(*, as_json: bool, **options: object) -> None:
    """Make a key, and show it this once.

    Once any key was made, every request needs one; the master key remains the administrator's.

    Exit codes: 0, 1 the name is taken or an option makes no sense, 2 settings or store cannot be used.
    """
    from shared.cli.api_keys import create

    create(options, as_json=as_json)


@keys.command("list")
@AS_JSON
def keys_list(as_json: bool) -> None:
    """List all keys, newest first, revoked ones too.

    Exit codes: 0, 2 settings or store cannot be used.
    """
    from shared.cli.api_keys import show

    show(as_json=as_json)


@keys.command("revoke")
@A_KEY
@AS_JSON
def keys_revoke(name_or_id: str, as_json: bool) -> None:
    """End a key for ever.

    Exit codes: 0, 1 there is no such key, 2 settings or store cannot be used.
    """
    from shared.cli.api_keys import revoke

    revoke(name_or_id, as_json=as_json)


@keys.command("rotate")
@A_KEY
@AS_JSON
def keys_rotate(name_or_id: str, as_json: bool) -> None:
    """Give a key a new secret, shown this once; the old one ends.

    Exit codes: 0, 1 there is no such key or it was revoked, 2 settings or store cannot be used.
    """
    from shared.cli.api_keys import rotate

    rotate(name_or_id, as_json=as_json)


@click.command()
@click.option("--since", default="7d", show_default=True, help="How far back: 24h, 7d, or a Unix time.")
@click.option("--until", help="Until when: as --since; without it until now.")
@click.option("--by", default="day,key", show_default=True, help="Rows for each of: hour, day, key, model, site.")
@AS_JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def usage(since: str, until: str | None, by: str, as_json: bool, as_csv: bool) -> None:
    """Show what was used.

    Requests, errors, tokens (estimated), and how long answers took.

    Exit codes: 0, 1 an option makes no sense, 2 settings or store cannot be used.
    """
    from shared.cli.usage import show

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    show(since, until, by, style="json" if as_json else "csv" if as_csv else "table")
