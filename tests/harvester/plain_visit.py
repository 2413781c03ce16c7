"""The baseline for costs: open the page with plain Playwright and wait until it is loaded.

`python -m tests.harvester.plain_visit BROWSER URL`. The yardstick for what a visit of the harvester costs.
"""

import sys
from importlib import import_module

if __name__ == "__main__":
    sync_playwright = import_module("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1])
        page = browser.new_page()
        page.goto(sys.argv[2], wait_until="networkidle")
        browser.close()
