"""The picture of a report in the README: `make pictures` trains the demo and takes it.

Needs Playwright and a Chromium, as the tests of reports do.
"""

import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 900, 960
COLOURS = 64


def main() -> None:
    """Train, write the report, and keep what a window shows of it."""
    with tempfile.TemporaryDirectory() as folder:
        for words in (["demo"], ["report", "demo.db", "-o", "report.html"]):
            command = [sys.executable, "-m", "seedwise", *words]
            subprocess.run(command, cwd=folder, check=True)
        shown = screenshot(Path(folder) / "report.html")
    place = Path(__file__).parent / "report.png"
    Image.open(BytesIO(shown)).quantize(COLOURS).save(place, optimize=True)


def screenshot(page: Path) -> bytes:
    """What a window shows of a page."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        window = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        window.goto(page.as_uri())
        window.wait_for_load_state("networkidle")
        return window.screenshot()


if __name__ == "__main__":
    main()
