import os
import shutil
from pathlib import Path

import pytest

from helpers.studies import Studies

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture
def studies(tmp_path):
    return Studies(tmp_path)


@pytest.fixture(scope="session")
def chromium():
    """A Chromium without a window, driven by Playwright; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api")
    place = os.environ.get("SEEDWISE_CHROMIUM") or next(
        filter(None, map(shutil.which, _NAMES)), None
    )
    with playwright.sync_playwright() as driver:
        if place is None and not Path(driver.chromium.executable_path).exists():
            reason = "needs a Chromium: apt-get install chromium, or SEEDWISE_CHROMIUM=path"
            if os.environ.get("SEEDWISE_REQUIRE_BROWSER"):
                pytest.fail(f"SEEDWISE_REQUIRE_BROWSER is set, but there is none: {reason}")
            pytest.skip(reason)
        browser = driver.chromium.launch(
            executable_path=place,
            # root needs the first; the second for containers with little shared memory
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()
