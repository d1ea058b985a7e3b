"""The way in, with a real browser on the real service: the one-time link, choosing a password,
signing out and in.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.chromium import PASSWORD, asked, visit
from tests.fakes import FakeCodex
from tests.servers import Server


@pytest.fixture
def server(tmp_path):
    with FakeCodex() as codex, Server(tmp_path, codex).classic() as server:
        server.wait_for(lambda: "#setup=" in server.log())
        yield server


def link_of(server: Server) -> str:
    """The path of the one-time link on the console."""
    found = re.search(r"/login#setup=[\w-]+", server.log())
    assert found
    return found.group()


def test_the_link_leads_to_a_password_and_the_password_back_in(chromium, server):
    link = link_of(server)
    code = link.partition("#setup=")[2]

    # 1. Until the link is used, every way leads to it, and a wrong code opens nothing.
    with visit(chromium, server.url, expected=("status of 422", "status of 401")) as page:
        page.goto("/accounts/alice")
        expect(page).to_have_title("Set up · Codex Quota")
        page.fill("#code", "a-wrong-code")
        page.fill("#password", PASSWORD)
        page.fill("#password_again", PASSWORD)
        page.click("main button.main")
        expect(page.locator("#code-error")).to_be_visible()

        # 2. The link fills its code in, and takes it out of the address. The server never saw it
        #    there.
        page.goto(link)
        expect(page.locator("#code")).to_have_value(code)
        expect(page.locator("#password")).to_be_focused()
        expect(page.locator("#code")).to_be_hidden()
        assert "#" not in page.url
        assert not any(code in path for path in asked(page))

        # 3. Two different passwords are told apart before anything is sent; what was typed can be
        #    looked at.
        page.fill("#password", PASSWORD)
        page.fill("#password_again", "something else")
        page.click("main button.main")
        assert (
            page.eval_on_selector("#password_again", "field => field.validationMessage")
            == "The two are not the same."
        )
        page.click("#password_again + .reveal")
        assert page.get_attribute("#password_again", "type") == "text"
        page.fill("#password_again", PASSWORD)
        page.click("main button.main")
        expect(page.locator("h1")).to_have_text("No accounts yet")
        assert page.url == f"{server.url}/"

        # 4. Signed out, nothing is shown any more; the link works no second time; the password
        #    does.
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")
        page.goto(link)
        expect(page).to_have_title("Sign in · Codex Quota")
        page.goto("/settings")
        expect(page).to_have_title("Sign in · Codex Quota")
        page.fill("#password", "a wrong one, long enough")
        page.click("main button.main")
        expect(page.locator("#password-error")).to_have_text("That is not the password.")
        assert page.input_value("#password") == ""
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Settings")


def test_the_set_up_code_can_be_typed_without_a_script(chromium, server):
    with visit(chromium, server.url, java_script_enabled=False) as page:
        page.goto("/")
        page.fill("#code", link_of(server).partition("=")[2])
        page.fill("#password", PASSWORD)
        page.fill("#password_again", PASSWORD)
        page.click("main button.main")

        expect(page.locator("h1")).to_have_text("No accounts yet")
