"""The closed cycles of an account: the sentence, the bars and the table on its page."""

import re

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.store.detected_events import JudgedCycle
from quota_web.web import cycle_bars
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import counted

DAY, WEEK = 86_400, 604_800


def cycle(used: float, *, bound: bool = False, dry: bool = False, how: str = "scheduled") -> dict:
    return {
        "started_at": "2026-11-10T12:00:00Z",
        "ended_at": "2026-11-17T12:00:00Z",
        "how": how,
        "used_at_reset_percent": used,
        "is_lower_bound": bound,
        "peak_percent": used,
        "wasted_percent": 100 - used,
        "ran_out_at": "2026-11-16T12:00:00Z" if dry else None,
        "hours_at_zero": 24.0 if dry else 0.0,
        "readings": 9,
    }


@pytest.mark.parametrize(
    ("cycles", "said"),
    [
        ([cycle(71)], "Last cycle: used 71 %, 29 % lost at resets, never run dry."),
        (
            [cycle(100, dry=True), cycle(71), cycle(42)],
            "Last 3 cycles: median used 71 %, 29 % lost at resets, once run dry.",
        ),
        (
            [cycle(100, dry=True)] * 3 + [cycle(60, bound=True)],
            "Last 4 cycles: median used 100 %, at most 10 % lost at resets, 3 times run dry.",
        ),
        (
            [cycle(40, bound=True), cycle(20)],
            "Last 2 cycles: median used at least 30 %, at most 70 % lost at resets, never run dry.",
        ),
    ],
)
def test_a_sentence_says_what_was_used_lost_and_run_dry(cycles, said):
    assert cycle_bars.sentence(cycles).replace("\u202f", " ") == said


def test_a_row_marks_what_is_only_a_bound():
    row = cycle_bars.row(cycle(40, bound=True))

    assert [row[name].replace("\u202f", " ") for name in ("used", "peak", "lost")] == [
        "at least 40 %",
        "at least 40 %",
        "at most 60 %",
    ]
    assert cycle_bars.row(cycle(40))["used"].startswith("40")


def test_each_cycle_is_one_bar_as_high_as_what_was_used_with_its_marks():
    cycles = [cycle(30), cycle(100, dry=True, how="early"), cycle(130, how="provider")]
    drawn = str(cycle_bars.drawing(cycles, NOW, None))

    assert re.findall(r'class="used"[^>]* height="([^"]+)"', drawn) == ["30", "100", "100"]
    assert (drawn.count("<title>"), drawn.count('class="dry"')) == (3, 1)
    assert drawn.count('class="mark-how"') == 2
    assert [words for _, words in cycle_bars.keys(cycles)] == ["early", "provider-wide"]
    assert "style=" not in drawn


@pytest.fixture
def alice(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 40)))
    installation.refresh()
    return installation


def close(installation, key: str, count: int) -> None:
    """Let *count* cycles of a window have ended, one a week, the last one 2 days ago."""
    [(window_id,)] = installation.rows("SELECT id FROM limit_window WHERE key = :key", key=key)
    ends = [NOW - 2 * DAY - i * WEEK for i in range(count)]
    cycles = [
        JudgedCycle(window_id, end - WEEK, end, "early", 60.0, 60.0, None, 0, 9, 0, i == 0)
        for i, end in enumerate(ends)
    ]
    with store.database.transaction() as tx:
        store.detected_events.put_cycles(tx, cycles, {}, 1)


def test_the_page_shows_the_last_twelve_cycles_as_bars_and_rows_newest_first(alice, browser):
    close(alice, "weekly", 15)
    page = browser.get("/accounts/alice").text
    section = page[page.index('id="cycles-h"') :].partition("</section>")[0]

    assert "Last 12 cycles: median used at least 60" in section
    assert section.count('class="used"') == 12
    ended = re.findall(r"<tr><td.*?</td><td[^>]*><time datetime=\"([^\"]+)", section)
    assert len(ended) == 12
    assert ended == sorted(ended, reverse=True)
    assert "/api/cycles.csv?account=alice" in section
    lines = browser.get("/api/cycles.csv?account=alice").text.splitlines()
    assert len([line for line in lines[1:] if ",open," not in line]) == 15
    assert "Five-hour" not in section


def test_before_the_first_cycle_ended_nothing_is_drawn_but_when_it_will_be(alice, browser):
    page = browser.get("/accounts/alice").text
    section = page[page.index('id="cycles-h"') :].partition("</section>")[0]

    assert "first cycle ends <time" in section
    assert "<svg" not in section
    assert "<table" not in section
    with clock.frozen(NOW + 30 * DAY):
        assert "no cycle has ended yet" in browser.get("/accounts/alice").text


def test_cycles_cost_the_page_one_query_however_many_windows_have_some(alice, browser):
    close(alice, "weekly", 3)
    alice.execute(
        "INSERT INTO limit_window (account_id, key, length_s, used_percent, resets_at, taken_at) "
        "SELECT account_id, 'monthly', 2592000, 9, resets_at, taken_at FROM limit_window "
        "WHERE key = 'weekly'"
    )
    close(alice, "monthly", 2)
    with counted(browser) as sent:
        page = browser.get("/accounts/alice").text

    assert page.count('class="cycles"') == 2
    assert len([sql for sql in sent if "FROM cycle JOIN limit_window" in sql]) == 1
