"""The dashboard's table in every width, with every plan and every kind of account: order, words and
heights of rows.
"""

import json
import time

import pytest
from playwright.sync_api import Page

from quota_web.core import labels
from tests.chromium import PASSWORD, flask_quota, overflows, visit
from tests.fakes import FakeCodex, FakeResponse, auth_document, make_jwt, usage_body
from tests.servers import Server

WIDTHS = (1280, 1440, 820, 390)
#: Words of the table that stand on more than one line. Names are cut anywhere, since they may be
#: anything.
BROKEN_WORDS = """() => {
  const found = [], range = document.createRange();
  for (const cell of document.querySelectorAll('.accounts :is(td, th):not(.who)')) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode;
      if (!node.parentElement.checkVisibility() || node.parentElement.closest('.sr')) continue;
      for (const word of node.data.matchAll(/[^\\s·/]+/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const tops = [...range.getClientRects()].map((box) => Math.round(box.top));
        if (new Set(tops).size > 1) found.push(word[0]);
      }
    }
  }
  return found;
}"""
BROKEN_TIMES = """() => [...document.querySelectorAll('.accounts time')]
  .filter((time) => {
    const tops = [...time.getClientRects()].map((box) => Math.round(box.top));
    return time.checkVisibility() && new Set(tops).size > 1;
  })
  .map((time) => time.textContent)"""


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
        with server.classic():
            server.wait_for(
                lambda: (
                    server.rows("SELECT count(*) FROM account WHERE taken_at IS NOT NULL")
                    == [(len(kinds),)]
                )
            )
            # Asked once more, some of them fail.
            flask_quota(server, "refresh", "--force", check=False)
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


@pytest.fixture(params=WIDTHS)
def page(request, chromium, server, state):
    with visit(
        chromium, server.url, storage_state=state, viewport={"width": request.param, "height": 900}
    ) as page:
        page.goto("/")
        yield page


def rows(page: Page) -> list[tuple[str, str]]:
    found = page.locator("tr[data-account]").evaluate_all(
        "all => all.map((row) => [row.dataset.account, row.dataset.group])"
    )
    return [(name, group) for name, group in found]


def test_no_word_and_no_time_breaks_and_nothing_scrolls_sideways(page):
    assert page.evaluate(BROKEN_WORDS) == []
    assert page.evaluate(BROKEN_TIMES) == []
    assert overflows(page) <= 0


def test_page_api_and_command_have_one_order_and_what_can_be_used_stands_first(page, server):
    shown = rows(page)
    told = [(r["account"], r["group"]) for r in page.request.get("/api/results").json()["results"]]
    printed = flask_quota(server, "status").splitlines()[1:]

    assert shown == told
    assert [line.split()[0] for line in printed] == [name for name, _ in shown]
    groups = [group for _, group in shown]
    assert groups == sorted(
        groups, key=["usable", "blocked", "attention", "unknown", "paused"].index
    )
    assert [name for name, group in shown if group == "usable"][-2:] == ["a-page", "too-often"]


@pytest.mark.parametrize("width", [1280, 1440])
def test_rows_differ_in_height_by_one_line_at_most(chromium, server, state, width):
    with visit(
        chromium, server.url, storage_state=state, viewport={"width": width, "height": 900}
    ) as page:
        page.goto("/")
        heights = page.locator("tr[data-account]").evaluate_all(
            "all => all.map((row) => row.getBoundingClientRect().height)"
        )

    assert max(heights) - min(heights) <= 21
