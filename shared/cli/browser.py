"""`freeaichat browser install`, and what `up` does where there is no browser."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from shared.browsers import Browser, NoBrowser, find_browser
from shared.cli import install
from shared.cli.failures import BadSettings, Failure, read_settings
from shared.settings import Settings


def locate(settings: Settings) -> Browser | None:
    """The browser for the visits; None where there is none. Raises `BadSettings` where FREEAICHAT_BROWSER is wrong."""
    try:
        return find_browser(settings.browser)
    except NoBrowser as error:
        if settings.browser:
            raise BadSettings(str(error)) from error
        return None


def provide(settings: Settings, *, force: bool = False, verbose: bool = False) -> Browser:
    """Get a browser and a driver that starts, showing what is done. Raises `Failure` with the command to type."""
    browser = locate(settings)
    if browser is not None and not force:
        click.echo(f"browser found: {browser.path} ({browser.found})")
    else:
        browser = _install(settings, verbose=verbose)
        click.echo(f"browser installed: {browser.path} ({browser.found})")
    _provide_driver(verbose=verbose)
    return browser


def show(*, force: bool, verbose: bool, as_json: bool) -> None:
    """Get a browser, and tell which one there is now. Raises `Failure`."""
    settings = read_settings()
    if not as_json:
        provide(settings, force=force, verbose=verbose)
        return
    with _progress_on_stderr():
        browser = provide(settings, force=force, verbose=verbose)
    found = {"path": str(browser.path), "kind": browser.kind, "found": browser.found}
    click.echo(json.dumps(found, ensure_ascii=False))


@contextmanager
def _progress_on_stderr() -> Iterator[None]:
    """What we and the programs that we start print goes to standard error: standard output is for one JSON object."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _install(settings: Settings, *, verbose: bool) -> Browser:
    click.echo("getting a browser: Playwright's own download first")
    if install.download(verbose=verbose) and (browser := locate(settings)):
        return browser
    manager = install.find_manager()
    if manager is not None:
        click.echo(f"that failed; trying {manager.program}")
        done = install.install_packages(manager, manager.browsers, verbose=verbose)
        if done and (browser := locate(settings)):
            return browser
    raise Failure(f"no browser could be installed; type this yourself, then try again:\n  {install.manual_command()}")


def _provide_driver(*, verbose: bool) -> None:
    if install.driver_starts():
        return
    click.echo("Playwright's driver does not start: it may lack libatomic")
    manager = install.find_manager()
    if manager is not None and manager.libatomic:
        install.install_packages(manager, [manager.libatomic], verbose=verbose)
    if not install.driver_starts():
        command = install.manual_command(only_driver=True)
        raise Failure(f"Playwright's driver does not start (`freeaichat doctor` says why); this may help:\n  {command}")
