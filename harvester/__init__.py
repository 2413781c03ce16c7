"""The visitor: drives a real Chromium, on a schedule, as one ordinary guest, and stores what the visit is given.

Imports `shared` only. Playwright lives in `browser.py`, APScheduler in `schedule.py`, nowhere else.
"""
