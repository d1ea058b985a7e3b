"""Take pictures of every page and state, on invented accounts, for whoever designs them and for the
README.

    python scripts/screenshots.py                             everything, more than 1,500 pictures
    python scripts/screenshots.py --page now --scene 60       one page with 60 accounts
    python scripts/screenshots.py --page 'sign-in*' --look '390-*-zh'
    python scripts/screenshots.py --readme                    the README's pictures, docs/images

--page, --scene and --look take names or patterns, and can be given more than once; --list says
which there are. Needs playwright (requirements-dev.txt) and a Chromium. The exit status is 1 where
a page scrolls sideways or complains on the console.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import update
from werkzeug.serving import make_server

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from quota_web import config, store  # noqa: E402
from quota_web.accounts import folder_sync  # noqa: E402
from quota_web.alerts import channel_secrets  # noqa: E402
from quota_web.alerts.channel_secrets import OpenedChannel  # noqa: E402
from quota_web.core import clock  # noqa: E402
from quota_web.core.secret import Secret  # noqa: E402
from quota_web.demo import fill  # noqa: E402
from quota_web.factory import create_app  # noqa: E402
from quota_web.foresight import forecast_pass  # noqa: E402
from quota_web.services import services  # noqa: E402
from quota_web.store.alert_tables import channel, delivery  # noqa: E402
from quota_web.store.channels import APPRISE, ChannelRules  # noqa: E402
from quota_web.store.event_log import EventQuery  # noqa: E402
from quota_web.store.sign_in_tables import sign_in  # noqa: E402
from scripts.screenshot_scenes import SCENES, SHOTS, Scene, Shot  # noqa: E402
from tests.fakes import auth_document  # noqa: E402
from tests.issuer import FakeIssuer  # noqa: E402

PASSWORD = "screenshots only"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ZONE = "Europe/Berlin"
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    width: int
    theme: str
    language: str = "en"
    script: bool = True

    @property
    def name(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}{'' if self.script else '-noscript'}"

    @property
    def is_phone(self) -> bool:
        return self.width < 500


LOOKS = [
    Look(width, theme, language)
    for width in (1280, 1440, 820, 390)
    for theme in ("light", "dark")
    for language in LANGUAGES
]
LOOKS += [Look(width, "light", script=False) for width in (1280, 390)]


SIGNED_OUT = ("login", "setup")


def main() -> int:
    options = _options()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if options.list:
        for title, names in (("pages", SHOTS), ("scenes", SCENES), ("looks", _looks())):
            print(f"{title}: {' '.join(names)}")
        return 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        complaints = take_for_readme(browser) if options.readme else take_all(browser, options)
        browser.close()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Take pictures of every page and state.")
    parser.add_argument("--into", type=Path, default=PROJECT / "screenshots")
    parser.add_argument(
        "--chromium",
        default=shutil.which("chromium") or shutil.which("google-chrome"),
        help="the browser; by default Playwright's own or Debian's",
    )
    for name in ("page", "scene", "look"):
        parser.add_argument(f"--{name}", action="append", help="names or patterns; default: all")
    parser.add_argument("--list", action="store_true", help="say which pages, scenes, looks are")
    parser.add_argument(
        "--readme", action="store_true", help="only the README's pictures, into docs/images"
    )
    return parser.parse_args()


def _looks() -> dict[str, Look]:
    return {look.name: look for look in LOOKS}


def _chosen(names: Iterable[str], patterns: list[str] | None) -> list[str]:
    return [n for n in names if patterns is None or any(fnmatch(n, p) for p in patterns)]


def take_all(browser: Browser, options: argparse.Namespace) -> list[str]:
    """Every chosen page in its chosen scenes and looks; what is wrong with them in lines."""
    complaints: list[str] = []
    pages, looks = _chosen(SHOTS, options.page), _chosen(_looks(), options.look)
    for scene in _chosen(SCENES, options.scene):
        there = [name for name in pages if scene in SHOTS[name].scenes]
        if not there:
            continue
        with service(SCENES[scene]) as (address, app):
            for look in looks:
                _forget_sign_ins(app)
                complaints += _take_each(browser, address, there, scene, look, options.into)
    return complaints


def _forget_sign_ins(app: Flask) -> None:
    """Few can be open at once, and few be begun within an hour."""
    with app.app_context(), store.database.transaction() as tx:
        tx.execute(sign_in.delete())


def _take_each(
    browser: Browser, address: str, pages: list[str], scene: str, look: str, into: Path
) -> list[str]:
    complaints: list[str] = []
    for signed_in in (True, False):
        names = [n for n in pages if n.startswith(SIGNED_OUT) is not signed_in]
        if not names:
            continue
        with looking(browser, address, _looks()[look], signed_in) as page:
            for name in names:
                file = into / f"{name}-{scene}-{look}.png"
                complaints += take(page, address, SHOTS[name], file)
    return complaints


#: The README's pictures: file → path, width and height.
README = {
    "dashboard": ("/", 1280, 1180), "account": ("/accounts/ken", 1280, 700),
    "phone": ("/", 390, 844),
}  # fmt: skip
#: They are all of one moment, Tuesday, 24 November 2026, 15:20 in Berlin, so that a picture
#: changes only where the page does.
README_AT = 1_795_530_000
#: Colours of the README's pictures: there are few on a page, and the file stays in git for good.
README_COLOURS = 256


def take_for_readme(browser: Browser) -> list[str]:
    """The pages to look at first, in light and in dark, and one on a phone: few and small."""
    complaints: list[str] = []
    into = PROJECT / "docs" / "images"
    with clock.frozen(README_AT), service(Scene(12)) as (address, _app):
        for theme in ("light", "dark"):
            for name, (path, width, height) in README.items():
                file = into / f"{name}-{theme}.png"
                with looking(browser, address, Look(width, theme)) as page:
                    page.clock.set_fixed_time(README_AT)
                    page.set_viewport_size({"width": width, "height": height})
                    complaints += take(page, address, Shot(path), file, full_page=False)
                _make_small(file)
    return complaints


def _make_small(file: Path) -> None:
    from PIL import Image

    with Image.open(file) as picture:
        # This way small marks keep their colours, since they are far from all others.
        few = picture.convert("RGB").quantize(
            README_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(file, optimize=True)


@contextmanager
def service(scene: Scene) -> Iterator[tuple[str, Flask]]:
    """The app on invented accounts in a folder that goes away afterwards, and its address."""
    with tempfile.TemporaryDirectory(prefix="quota-screenshots-") as folder, FakeIssuer() as issuer:
        environment = {
            "QUOTA_INSTANCE_DIR": folder,
            "QUOTA_ACCOUNT_DIR": str(Path(folder) / "account"),
            "QUOTA_TIMEZONE": ZONE,
            "QUOTA_AUTH_URL": issuer.url,
        }
        Path(environment["QUOTA_ACCOUNT_DIR"]).mkdir()
        if scene.has_password:
            environment["QUOTA_PASSWORD"] = PASSWORD
        app = create_app(config.load(environment))
        with app.app_context():
            services().ready()
            if scene.accounts:
                _fill(scene)
            _follow(scene.followed, services().settings.account_dir)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", app
        finally:
            server.shutdown()


def _follow(names: Iterable[str], folder: Path) -> None:
    for number, name in enumerate(names):
        document = auth_document(f"acct-{name}", email=f"{name}@example.com", exp=2_000_000_000)
        (folder / f"{name}.auth.json").write_text(json.dumps(document))
        (folder / f"{name}.auth.json").chmod(0o600 - 0o200 * (number % 2))
    folder_sync.sync(services().cipher, folder, clock.now())


def _fill(scene: Scene) -> None:
    now = clock.now()
    fill.fill(scene.accounts, scene.days, now, utc_offset_s=3600, persona=scene.persona)
    forecast_pass.run(now, 3_600, services().settings.timezone)
    _add_channels(now)


#: Channels by name, with their addresses; what is told; why the second one fails.
CHANNELS = {"phone": "ntfys://ntfy.sh/quota-demo", "team chat": "mmost://chat.example.com/invented"}
TOLD = ("used_up", "back", "reset_provider", "sign_in_ended", "plan_changed")
REFUSED = "HTTP 503"


def _add_channels(now: int) -> None:
    """A channel that works, one that fails, and what was sent through both."""
    cipher, of = services().cipher, delivery.c.channel_id
    with store.database.transaction() as tx:
        told = store.event_log.latest(tx, EventQuery(TOLD), 8)
        for name, url in CHANNELS.items():
            added = store.channels.add(tx, ChannelRules(name), APPRISE, now)
            opened = OpenedChannel(Secret(url))
            store.channels.seal(tx, added, *channel_secrets.sealed(cipher, added, opened))
            store.deliveries.add(tx, [(one.id, added) for one in reversed(told)], now)
        sent = {"state": "sent", "sent_at": now - 600, "tries": 1}
        waits = {"tries": 3, "due_at": now + 900, "error": REFUSED}
        fails = {"failing_since": now - 7_200, "last_error": REFUSED}
        tx.execute(update(delivery).where(of == 1).values(sent))
        tx.execute(update(delivery).where(of == added).values(waits))
        tx.execute(update(channel).where(channel.c.id == added).values(fails))


@contextmanager
def looking(browser: Browser, address: str, look: Look, sign_in: bool = True) -> Iterator[Page]:
    """A page of a browser that looks so, signed in."""
    theme: Any = look.theme
    context = browser.new_context(
        viewport={"width": look.width, "height": 844 if look.is_phone else 860},
        color_scheme=theme, timezone_id=ZONE, java_script_enabled=look.script,
        locale=LANGUAGES[look.language], device_scale_factor=2 if look.is_phone else 1,
        has_touch=look.is_phone, is_mobile=look.is_phone,
    )  # fmt: skip
    page = context.new_page()
    if sign_in:
        page.goto(f"{address}/login")
        page.fill("#password", PASSWORD)
        page.click("main button.main")
    yield page
    context.close()


def take(page: Page, address: str, shot: Shot, file: Path, full_page: bool = True) -> list[str]:
    """One picture, with the charts drawn; what is wrong with the page in lines."""
    heard: list[str] = []

    def hear(message: Any) -> None:
        if message.type in ("error", "warning") and "the server responded" not in message.text:
            heard.append(f"{file.name}: {message.text}")

    page.on("console", hear)
    page.goto(address + shot.path)
    shot.then(page)
    if page.locator("#history").count():
        page.locator("#history").scroll_into_view_if_needed()
        if page.locator("#charts").is_visible():
            page.wait_for_selector(".plot canvas")
        elif (lanes := page.locator("html.js .lane-plot")).count():
            lanes.first.scroll_into_view_if_needed()
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
