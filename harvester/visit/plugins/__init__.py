"""The supported chat plugins. Each has one module here, which implements `interface.Plugin`."""

from harvester.visit.plugins.ai_engine import AIEngine
from harvester.visit.plugins.aipkit import AIPKit
from harvester.visit.plugins.interface import Plugin
from harvester.visit.tab import Snapshot

PLUGINS: tuple[Plugin, ...] = (AIPKit(), AIEngine())


def find_readable_plugin(page: Snapshot) -> Plugin | None:
    """The plugin whose configuration the page contains."""
    return next((plugin for plugin in PLUGINS if plugin.is_readable(page)), None)


def find_plugin(page: Snapshot) -> Plugin | None:
    """The plugin whose chat the page contains: its configuration, or at least its message field."""
    return find_readable_plugin(page) or next((plugin for plugin in PLUGINS if plugin.mark in page.fields), None)
