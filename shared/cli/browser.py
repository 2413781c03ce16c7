"""`freeaichat browser install`, and what `up` does where there is no browser."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from shared.browsers import Browser, BrowserNotFound, find_browser
from shared.cli import install
from shared.cli.failures import BadSettings, Failure, read_settings
from shared.settings import Settings


def find(settings: Settings) -> Browser | None:
    """Find the browser for visits; None if there is none. Raises `BadSettings` where FREEAICHAT_BROWSER is wrong."""
    try:
        return find_browser(settings.browser)
    except BrowserNotFound as error:
        if settings.browser:
            raise BadSettings(str(error)) from error
        return None


def ensure_browser(settings: Settings, *, force: bool = False, verbose: bool = False) -> Browser:
    """Install a missing browser, and check that the driver starts. Raises `Failure` with a command to run."""
    browser = find(settings)
    if force and settings.browser:
        raise BadSettings(f"{settings.browser} is used, whatever else is installed: unset FREEAICHAT_BROWSER first")
    if browser is not None and not force:
        click.echo(f"browser found: {browser.path} ({browser.found})")
    else:
        browser = _install(settings, verbose=verbose)
        click.echo(f"browser installed: {browser.path} ({browser.found})")
    _ensure_driver(verbose=verbose)
    return browser


def show(*, force: bool, verbose: bool, as_json: bool) -> None:
    """Install a browser, and print which one there is now. Raises `Failure`."""
    settings = read_settings()
    if not as_json:
        ensure_browser(settings, force=force, verbose=verbose)
        return
    with _progress_on_stderr():
        browser = ensure_browser(settings, force=force, verbose=verbose)
    found = {"path": str(browser.path), "kind": browser.kind, "found": browser.found}
    click.echo(json.dumps(found, ensure_ascii=False))


@contextmanager
def _progress_on_stderr() -> Iterator[None]:
    """Redirect all output, of child processes too, to standard error: standard output is for one JSON object."""
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
    if install.download(verbose=verbose) and (browser := find(settings)):
        return browser
    manager = install.find_manager()
    if manager is not None:
        click.echo(f"that failed; trying {manager.program}")
        done = install.install_packages(manager, manager.browsers, verbose=verbose)
        if done and (browser := find(settings)):
            return browser
    raise Failure(f"no browser could be installed; type this yourself, then try again:\n  {install.manual_command()}")


def _ensure_driver(*, verbose: bool) -> None:
    if install.driver_starts():
        return
    click.echo("Playwright's driver does not start: it may lack libatomic")
    manager = install.find_manager()
    if manager is not None and manager.libatomic:
        install.install_packages(manager, [manager.libatomic], verbose=verbose)
    if not install.driver_starts():
        command = install.manual_command(only_driver=True)
        raise Failure(f"Playwright's driver does not start (`freeaichat doctor` says why); this may help:\n  {command}")
