"""Facts beside quota on an account's page, and the button that has one asked for again."""

import re

from quota_web.extras.extras_pass import ExtrasPass
from quota_web.refresh.hooks import hooks
from tests.extras.test_extras_pass import CHALLENGE, RENEWS, SUBSCRIPTIONS, WORKSPACES, workspace
from tests.fakes import NOW, FakeResponse
from tests.pages import visiting

BOTH = "subscription workspace"


def plan(browser):
    page = browser.get("/accounts/alice").text.partition('id="plan"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_says_what_was_told_and_why_something_is_not_known(installation, codex):
    installation.app = installation.another(QUOTA_EXTRAS=BOTH)
    codex.answers("acct-alice", CHALLENGE, path=SUBSCRIPTIONS)
    codex.answers("acct-alice", FakeResponse(body=workspace("A <b> GmbH")), path=WORKSPACES)
    with installation.app.app_context(), visiting(installation, QUOTA_EXTRAS=BOTH) as browser:
        installation.services.ready()
        installation.file("alice", exp=NOW + 864_000)
        moments = iter([0.0, 60.0, 120.0, 180.0])
        asked = ExtrasPass(lambda: installation.now, lambda: next(moments))
        hooks().on_recorded[:] = [asked.note]
        hooks().on_finished[:] = [asked.run]
        installation.refresh()
        assert "Subscription not known yet Ask again Workspace not known yet" in plan(browser)

        for _ in range(2):
            hooks().finished()
        text = plan(browser)
        assert "Subscription not known Asked 20:00 CST : Cloudflare answers" in text
        assert "Workspace A &lt;b&gt; GmbH Ask again" in text

        codex.answers("acct-alice", FakeResponse(body=RENEWS), path=SUBSCRIPTIONS)
        gone = browser.post("/auth/extras", name="alice", kind="subscription")
        assert gone.status_code == 303
        assert "is being asked for" in plan(browser)
        installation.now += 60
        hooks().finished()
        assert "Subscription paid until Thu 3 Dec, 21:27 CST , then renews Ask again" in plan(
            browser
        )
        assert browser.post("/auth/extras", name="alice", kind="consume").status_code == 422


def test_without_the_setting_the_page_is_silent_and_nothing_can_be_wanted(installation, browser):
    installation.file("alice", exp=NOW + 864_000)
    installation.refresh()

    assert "Subscription" not in plan(browser)
    assert browser.post("/auth/extras", name="alice", kind="workspace").status_code == 422
