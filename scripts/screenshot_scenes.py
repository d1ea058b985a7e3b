"""Which pages screenshots.py takes, and with which accounts: scenes, and what is pressed there."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from quota_web.core.quota import Credits
from quota_web.demo.personas import Persona
from tests.fakes import auth_document


@dataclass(frozen=True)
class Scene:
    """Which accounts there are."""

    accounts: int
    days: int = 45
    #: What all of them are; None: one of each kind after the other.
    persona: Persona | None = None
    has_password: bool = True
    #: Names of accounts that follow a file and were never read.
    followed: tuple[str, ...] = ()


SCENES = {
    "1": Scene(1), "3": Scene(3), "8": Scene(8), "12": Scene(12), "25": Scene(25, 21),
    "60": Scene(60, 14),
    "new": Scene(0, followed=("alice", "bob")),
    "empty": Scene(0), "setup": Scene(0, has_password=False), "young": Scene(3, 1),
    "failing": Scene(3, 14, Persona("plus", ending="unreachable")),
    "ended": Scene(3, 14, Persona("plus", ending="unauthorized")),
    "used-up": Scene(1, 14, Persona("team", ending="exhausted")),
    "unlimited": Scene(2, 14, Persona("enterprise", (), credits=Credits(True, unlimited=True))),
}  # fmt: skip
NUMBERS = ("1", "3", "8", "25", "60")
BROKEN = ("young", "failing", "ended", "used-up", "unlimited")


@dataclass(frozen=True)
class Shot:
    """A page, and the scenes in which it is looked at."""

    path: str
    scenes: tuple[str, ...] = ("12",)
    #: What is pressed and typed once it is there.
    then: Callable[[Page], None] = lambda page: None


def press(*selectors: str) -> Callable[[Page], None]:
    """A person who presses these, one after the other."""

    def pressing(page: Page) -> None:
        for selector in selectors:
            page.locator(selector).first.click()

    return pressing


def sign_in_by(method: str) -> Callable[[Page], None]:
    def begin(page: Page) -> None:
        page.fill("#name", "nina")
        page.click(f'button[value="{method}"]')
        page.wait_for_url("**/auth/sign-in/*")

    return begin


def try_in_vain(page: Page) -> None:
    page.fill("#password", "not the password")
    page.click("main button.main")


def make_a_token_and_links(page: Page) -> None:
    for kind in ("calendar", "badge", "board"):
        page.select_option("#share_kind", kind)
        page.locator("form:has(#share_kind) button").click()
    page.fill("#token_name", f"script {secrets.token_hex(2)}")
    page.locator("form:has(#token_name) button").click()


def paste(page: Page) -> None:
    """Paste an auth.json, and wait for what is said of it."""
    found = auth_document("acct-new", email="nina@example.com", chatgpt_plan_type="plus")
    page.fill("#auth_json", json.dumps(found))
    page.wait_for_timeout(1_500)


def paste_and_add(page: Page) -> None:
    paste(page)
    page.click("#account-form button.main")
    page.locator("#found-form").wait_for()


SHOTS = {
    "now": Shot("/", (*NUMBERS, *BROKEN, "empty", "12", "new")),
    "cards": Shot("/?view=cards", ("1", "8", "25", "ended", "unlimited")),
    "agenda": Shot("/", ("12", "60"), press('label:has([data-fold="agenda"])')),
    "flat": Shot("/?group=none&sort=weekly", ("25",)),
    "blocked": Shot("/?show=blocked"), "nothing-found": Shot("/?q=nobody-of-that-name"),
    "history": Shot("/history", (*NUMBERS, "young", "failing", "unlimited", "empty")),
    "history-30d": Shot("/history?range=30d"),
    "compare": Shot("/history?line=alice&line=bob&line=dave"),
    "account": Shot("/accounts/alice", ("12", *BROKEN, "new")),
    "account-30d": Shot("/accounts/alice?range=30d"), "account-low": Shot("/accounts/bob"),
    "account-used-up": Shot("/accounts/dave"), "account-sign-in": Shot("/accounts/erin"),
    "account-pro": Shot("/accounts/carol"), "account-spend": Shot("/accounts/frank"),
    "account-monthly": Shot("/accounts/grace"), "account-failing": Shot("/accounts/ivan"),
    "between": Shot("/accounts/alice/between?window=weekly"),
    "account-paused": Shot("/accounts/judy"), "account-credits": Shot("/accounts/ken"),
    "events": Shot("/events", ("12", "60", "young", "empty")),
    "events-filtered": Shot("/events?account=bob"),
    "resets": Shot("/resets", ("12", "60", "young", "empty")),
    "accounts": Shot("/auth", ("1", "12", "60", "ended", "empty", "new")),
    "add": Shot("/auth/new", ("12", "empty")), "add-pasted": Shot("/auth/new", ("12",), paste),
    "add-preview": Shot("/auth/new", ("12",), paste_and_add),
    "edit": Shot("/auth/edit?name=alice", ("12", "new")),
    "delete": Shot("/auth/delete?name=alice", ("12", "new")),
    "sign-in": Shot("/auth/sign-in"), "sign-in-again": Shot("/auth/sign-in?account=erin"),
    "sign-in-code": Shot("/auth/sign-in", ("12",), sign_in_by("device")),
    "sign-in-link": Shot("/auth/sign-in", ("12",), sign_in_by("link")),
    "alerts": Shot("/alerts", ("12", "empty")),
    "alert-webhook": Shot("/alerts?add=webhook"), "alert-mail": Shot("/alerts?add=mail"),
    "alert-ntfy": Shot("/alerts?add=ntfy"), "alert-edit": Shot("/alerts?edit=1"),
    "settings": Shot("/settings"),
    "settings-used": Shot("/settings", ("12",), make_a_token_and_links),
    "missing": Shot("/accounts/nobody"),
    "login": Shot("/login", ("8",)), "login-refused": Shot("/login", ("8",), try_in_vain),
    "setup": Shot("/login", ("setup",)),
}  # fmt: skip
