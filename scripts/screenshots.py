"""Take pictures of every page and state, on invented accounts, for whoever designs them and for the
README.

    python scripts/screenshots.py [--into screenshots] [--chromium /usr/bin/chromium] [--readme]

Needs playwright (requirements-dev.txt) and a Chromium. With --readme only the few pictures that the
README shows are taken, into docs/images.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from quota_web import config  # noqa: E402
from quota_web.core import clock  # noqa: E402
from quota_web.demo import fill  # noqa: E402
from quota_web.factory import create_app  # noqa: E402
from quota_web.foresight import forecast_pass  # noqa: E402
from quota_web.services import services  # noqa: E402

PASSWORD = "screenshots only"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, PHONE = (1280, 860), (360, 740)
ZONE = "Europe/Berlin"
PAGES = {
    "dashboard": "/", "dashboard-30d": "/?range=30d", "blocked": "/?show=blocked",
    "nothing-found": "/?q=nobody-of-that-name",
    "history": "/history", "history-30d": "/history?range=30d&account=alice",
    "compare": "/history?line=alice&line=bob&line=dave",
    "account": "/accounts/carol", "account-30d": "/accounts/alice?range=30d",
    "account-used-up": "/accounts/dave", "account-sign-in": "/accounts/erin",
    "account-monthly": "/accounts/grace", "account-paused": "/accounts/judy", "accounts": "/auth",
    "add": "/auth/new",
    "edit": "/auth/edit?name=alice", "delete": "/auth/delete?name=alice", "settings": "/settings",
    "missing": "/accounts/nobody",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    size: tuple[int, int]
    theme: str
    script: bool = True
    #: What the browser asks for as `Accept-Language`.
    locale: str = "en-US"

    @property
    def name(self) -> str:
        language = "" if self.locale == "en-US" else f"-{self.locale}"
        return f"{self.size[0]}-{self.theme}{language}{'' if self.script else '-noscript'}"


LOOKS = [Look(size, theme) for size in (WIDE, PHONE) for theme in ("light", "dark")]
LOOKS += [Look(size, "light", locale="zh-CN") for size in (WIDE, PHONE)]


def main() -> int:
    """Take the pictures; the exit status is 1 where a page scrolls sideways or complains on the
    console.
    """
    parser = argparse.ArgumentParser(description="Take pictures of every page and state.")
    parser.add_argument("--into", type=Path, default=PROJECT / "screenshots")
    parser.add_argument(
        "--chromium",
        default=shutil.which("chromium") or shutil.which("google-chrome"),
        help="the browser; by default Playwright's own or Debian's",
    )
    parser.add_argument(
        "--readme", action="store_true", help="only the README's pictures, into docs/images"
    )
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        complaints = (
            take_for_readme(browser, PROJECT / "docs" / "images")
            if options.readme
            else take_all(browser, options.into)
        )
        browser.close()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def take_all(browser: Browser, into: Path) -> list[str]:
    """Every page with the accounts of every kind, and the pages of all accounts with few and with
    many.
    """
    complaints: list[str] = []
    with service(accounts=12, days=45) as address:
        for look in [*LOOKS, Look(WIDE, "light", script=False)]:
            with looking(browser, address, look) as page:
                complaints += [
                    c
                    for name, path in PAGES.items()
                    for c in take(page, address + path, into / f"{name}-{look.name}.png")
                ]
    for count in (0, 1, 3, 8, 25, 60):
        with service(count, days=10) as address:
            for look in LOOKS:
                with looking(browser, address, look) as page:
                    complaints += [
                        c
                        for name, path in (("accounts", "/"), ("history", "/history"))
                        for c in take(
                            page, address + path, into / f"{count}-{name}-{look.name}.png"
                        )
                    ]
    with service(0, days=1, password=False) as address:
        for look in LOOKS:
            with looking(browser, address, look, sign_in=False) as page:
                complaints += take(page, f"{address}/login", into / f"setup-{look.name}.png")
    return complaints


def take_for_readme(browser: Browser, into: Path) -> list[str]:
    """The pages to look at first, in light and in dark: few and small, since they stay in git for
    good.
    """
    complaints: list[str] = []
    with service(accounts=6, days=45) as address:
        for theme in ("light", "dark"):
            with looking(browser, address, Look(WIDE, theme)) as page:
                complaints += take(page, f"{address}/?range=7d", into / f"dashboard-{theme}.png")
                for name, path in (("history", "/history"), ("account", "/accounts/alice")):
                    file = into / f"{name}-{theme}.png"
                    complaints += take(page, address + path, file, full_page=False)
    return complaints


@contextmanager
def service(accounts: int, days: int, password: bool = True) -> Iterator[str]:
    """The app on invented accounts in a folder that goes away afterwards; its address."""
    with tempfile.TemporaryDirectory(prefix="quota-screenshots-") as folder:
        environment = {
            "QUOTA_INSTANCE_DIR": folder,
            "QUOTA_ACCOUNT_DIR": str(Path(folder) / "account"),
            "QUOTA_TIMEZONE": ZONE,
        }
        Path(environment["QUOTA_ACCOUNT_DIR"]).mkdir()
        app = create_app(
            config.load(environment | ({"QUOTA_PASSWORD": PASSWORD} if password else {}))
        )
        with app.app_context():
            services().ready()
            if accounts:
                fill.fill(accounts, days, clock.now(), utc_offset_s=3600)
                forecast_pass.run(clock.now(), 3_600, services().settings.timezone)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def looking(browser: Browser, address: str, look: Look, sign_in: bool = True) -> Iterator[Page]:
    """A page of a browser that looks so, signed in."""
    theme: Any = look.theme
    width, height = look.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, timezone_id=ZONE,
        java_script_enabled=look.script, locale=look.locale,
        device_scale_factor=2 if look.size == PHONE else 1,
    )  # fmt: skip
    page = context.new_page()
    if sign_in:
        page.goto(f"{address}/login")
        page.fill("#password", PASSWORD)
        page.click("main button.main")
    yield page
    context.close()


def take(page: Page, address: str, file: Path, full_page: bool = True) -> list[str]:
    """One picture, with the charts drawn; what is wrong with the page in lines."""
    heard: list[str] = []

    def hear(message: Any) -> None:
        if message.type in ("error", "warning") and "status of 404" not in message.text:
            heard.append(f"{file.name}: {message.text}")

    page.on("console", hear)
    page.goto(address)
    if page.locator("#history").count():
        page.locator("#history").scroll_into_view_if_needed()
        if page.locator("#charts").is_visible():
            page.wait_for_selector(".plot canvas")
        elif page.locator("html.js .lane:has(.lane-plot)").count():
            page.wait_for_selector(".lane canvas")
        page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_timeout(250)
    if page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
        heard.append(f"{file.name}: scrolls sideways")
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=full_page)
    page.remove_listener("console", hear)
    return heard


if __name__ == "__main__":
    sys.exit(main())
