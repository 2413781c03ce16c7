"""The kinds of chat plugin that a visit knows. Each has one file here, which implements `interface.Plugin`."""

from harvester.visit.plugins.ai_engine import AIEngine
from harvester.visit.plugins.aipkit import AIPKit
from harvester.visit.plugins.interface import Plugin
from harvester.visit.tab import Snapshot

PLUGINS: tuple[Plugin, ...] = (AIPKit(), AIEngine())


def readable_in(page: Snapshot) -> Plugin | None:
    """The plugin whose configuration the page holds."""
    return next((plugin for plugin in PLUGINS if plugin.is_readable(page)), None)


def plugin_of(page: Snapshot) -> Plugin | None:
    """The plugin whose chat the page carries: as configuration, or at least as a field to type in."""
    return readable_in(page) or next((plugin for plugin in PLUGINS if plugin.mark in page.fields), None)
