"""Code that both services use: settings, models, the store, the HTTP client of sites.

Import rule: nothing in here imports `harvester` or `proxy`; those two never import each other.
They meet in the store alone, so that each can run, restart and scale apart.
"""

__version__ = "0.2.0"
