"""The dashboard in every width, with every plan and every kind of account: order, words, heights of
rows, and whether the ribbon or the agenda is shown.
"""

import json
import time

import pytest
from playwright.sync_api import Page, expect

from quota_web.core import labels
from tests.chromium import PASSWORD, flask_quota, overflows
from tests.fakes import FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.servers import Server

WIDTHS = (1280, 1440, 820, 390)
#: Words and times of the page that stand on more than one line, and how many were looked at. Names
#: are cut anywhere, since they may be anything.
BROKEN = """() => {
  const broken = [], cut = [], range = document.createRange(), seen = { visibilityProperty: true };
  const isBroken = (boxes) => new Set([...boxes].map((box) => Math.round(box.top))).size > 1;
  let words = 0;
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, holder = node.parentElement;
    if (!holder.checkVisibility(seen) || holder.closest('.sr, .who, a')) continue;
    for (const word of node.data.matchAll(/[^\\s·/]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      words += 1;
      if (isBroken(range.getClientRects())) broken.push(holder.textContent.trim());
    }
  }
  for (const time of document.querySelectorAll('main time'))
    if (time.checkVisibility(seen) && isBroken(time.getClientRects()))
      broken.push(time.textContent);
  for (const cell of document.querySelectorAll('.list :is(td, th):not(.who)'))
    if (cell.checkVisibility(seen) && cell.clientWidth && cell.scrollWidth > cell.clientWidth + 1)
      if (cell.textContent.trim()) cut.push(cell.textContent.trim());
  return { broken, cut, words };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    now = int(time.time())
    with FakeCodex() as codex:
        server = Server(
            tmp_path_factory.mktemp("service"), codex, QUOTA_PASSWORD=PASSWORD, QUOTA_RETRIES="0"
        )
        kinds = accounts(now)
        for number, (name, scenes) in enumerate(kinds.items()):
            codex.answers(f"acct-{number}", *scenes)
            token = make_jwt(f"acct-{number}", exp=now + 864_000, user_id=f"user-{number}")
            document = auth_document(f"acct-{number}", access_token=token, id_token=token)
            (server.account_dir / f"{name}.auth.json").write_text(json.dumps(document))
        # Asked once more, some of them fail. The schedule would take its time.
        for _ in range(2):
            flask_quota(server, "refresh", "--force", check=False)
        with server.classic():
            yield server


def accounts(now: int) -> dict[str, list[FakeResponse]]:
    kinds = {
        "month": usage_body(None, 61, at=now),
        "no-limit": {
            "plan_type": "enterprise",
            "rate_limit": None,
            "credits": {"has_credits": True, "unlimited": True, "balance": None},
        },
        "used-up": usage_body(100, 40, at=now),
        "week-used-up": usage_body(3, 100, at=now),
    }
    kinds["month"]["rate_limit"]["primary_window"]["limit_window_seconds"] = 2_592_000  # type: ignore[index]
    plans = {
        f"plan-{plan}"[:24]: usage_body(12 + i, 40 + i, at=now, plan=plan)
        for i, plan in enumerate(labels.PLANS)
    }
    found = {name: [FakeResponse(body=body)] for name, body in {**kinds, **plans}.items()}
    found["too-often"] = [FakeResponse(body=usage_body(1, 1, at=now)), FakeResponse(429, body={})]
    found["a-page"] = [FakeResponse(body=usage_body(1, 1, at=now)), FakeResponse(raw=b"<html>")]
    found["signed-out"] = [FakeResponse(body=usage_body(1, 1, at=now)), FakeResponse(401, body={})]
    return found


@pytest.fixture(params=WIDTHS, scope="module")
def page(request, tabs):
    """The dashboard in one width. What a test opens on it, it closes again."""
    with tabs.visit(viewport={"width": request.param, "height": 900}) as page:
        page.goto("/")
        yield page


@pytest.fixture(scope="module")
def printed(server) -> list[str]:
    """What the command says of the accounts, a line each."""
    return flask_quota(server, "status").splitlines()[1:]


def rows(page: Page) -> list[tuple[str, str]]:
    found = page.locator("tr[data-account]").evaluate_all(
        "all => all.map((row) => [row.dataset.account, row.dataset.group])"
    )
    return [(name, group) for name, group in found]


def test_no_word_and_no_time_breaks_and_nothing_scrolls_sideways(page):
    found = page.evaluate(BROKEN)

    assert found["words"] > 200, "the page has words"
    assert found["broken"] == []
    assert " | ".join(found["cut"]) == ""
    assert overflows(page) <= 0


def test_page_api_and_command_have_one_order_and_what_can_be_used_stands_first(page, printed):
    shown = rows(page)
    told = [(r["account"], r["group"]) for r in page.request.get("/api/results").json()["results"]]

    assert shown == told
    assert [line.split()[0] for line in printed] == [name for name, _ in shown]
    groups = [group for _, group in shown]
    assert groups == sorted(
        groups, key=["usable", "blocked", "attention", "unknown", "paused"].index
    )
    assert [name for name, group in shown if group == "usable"][-2:] == ["a-page", "too-often"]


def test_either_the_ribbon_or_the_agenda_is_shown_and_rows_are_even(page):
    is_phone = page.viewport_size["width"] < 640
    heights = page.locator("tr[data-account]:visible").evaluate_all(
        "all => all.map((row) => row.getBoundingClientRect().height)"
    )

    assert max(heights) - min(heights) <= 21
    assert page.locator(".ribbon-frame").is_visible() is not is_phone
    assert page.locator(".agenda").is_visible() is is_phone
    page.locator("[data-fold=agenda]").locator("..").click()
    expect(page.locator(".agenda li").last).to_be_visible()
    moments = page.locator(".agenda li > time").evaluate_all("all => all.map((t) => t.dateTime)")
    assert moments == sorted(moments)
    assert len(moments) > 4
    page.locator("[data-fold=agenda]").locator("..").click()
