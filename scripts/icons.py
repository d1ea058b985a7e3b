"""Draw the icons for home screens from our own mark, in Chromium.

    python scripts/icons.py [--chromium /usr/bin/chromium]

Writes quota_web/web/static/icons/192.png, 512.png, maskable.png and touch.png from favicon.svg.
Needs playwright (requirements-dev.txt) and a Chromium.
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "quota_web" / "web" / "static" / "icons"
MARK = ICONS / "favicon.svg"
#: The colour of the mark's ground, for icons that are cut to a shape by whoever shows them.
GROUND = "#0b6b5b"
#: name → pixels, whether its corners are round, and how large the mark is on it.
SIZES = {
    "192.png": (192, True, 1.0),
    "512.png": (512, True, 1.0),
    # What lies outside of a circle of 80 % may be cut off.
    "maskable.png": (512, False, 0.8),
    "touch.png": (180, False, 1.0),
}


def main() -> int:
    """Draw them all; the exit status."""
    parser = argparse.ArgumentParser(description="Draw the icons for home screens.")
    parser.add_argument(
        "--chromium",
        default=shutil.which("chromium") or shutil.which("google-chrome"),
        help="the browser; by default Playwright's own or Debian's",
    )
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (pixels, is_round, share) in SIZES.items():
            draw(browser, ICONS / name, pixels, is_round, share)
        browser.close()
    return 0


def draw(browser: Browser, file: Path, pixels: int, is_round: bool, share: float) -> None:
    """The mark on its ground as a PNG of *pixels* by *pixels*."""
    inner = round(pixels * share)
    ground = "transparent" if is_round else GROUND
    page = browser.new_page(viewport={"width": pixels, "height": pixels})
    page.set_content(
        f'<body style="margin:0;height:100vh;display:grid;place-items:center;background:{ground}">'
        f'<div style="width:{inner}px;height:{inner}px">{MARK.read_text(encoding="utf-8")}</div>'
    )
    page.screenshot(path=file, omit_background=is_round)
    page.close()


if __name__ == "__main__":
    sys.exit(main())
