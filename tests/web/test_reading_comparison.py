"""What happened between two readings: the page, the report and its CSV."""

import csv
import io

import pytest
from sqlalchemy import select

from quota_web import store
from quota_web.core import clock
from quota_web.store.models import limit_window, rollup
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import Script

HOUR, WEEK = 3_600, 604_800
PAGE = "/accounts/alice/between"


@pytest.fixture
def script(browser):
    return Script(browser)


@pytest.fixture
def readings(installation, codex):
    """Alice's weekly window rose hour by hour, was reset early, and rose again."""
    installation.file("alice")
    _read(installation, codex, "alice", (40, 41, 60, 0, 1, 2))
    return installation


def _read(installation, codex, name, percents, account_id="acct-alice") -> None:
    for hour, used in enumerate(percents):
        later = HOUR * (100 if used < 10 else 0)
        codex.answers(account_id, FakeResponse(body=usage_body(None, used, at=NOW + later)))
        installation.now = NOW + hour * HOUR
        installation.refresh(name, force=True)


def between(first: int, last: int, more: str = "") -> str:
    return f"{PAGE}?window=weekly&from={NOW + first * HOUR}&to={NOW + last * HOUR}{more}"


def hours_used(points: float, weeks: int = 6, hour: int = 1) -> None:
    """Let *points* have been used in an hour and the next one of each of the last weeks."""
    with store.database.transaction() as tx:
        window_id = tx.execute(select(limit_window.c.id)).scalar_one()
        for week in range(1, weeks + 1):
            for later in (-1, 0, 1):
                at = NOW - week * WEEK + (hour + later) * HOUR
                row = {"span": HOUR, "window_id": window_id, "slot": at - at % HOUR, "rise": points}
                tx.execute(rollup.insert().values(**row, last_at=at, count=1))


def test_it_shows_both_readings_what_changed_and_how_fast(readings, browser):
    page = browser.get(between(1, 2)).get_data(as_text=True)

    assert "41\u202f%" in page
    assert "60\u202f%" in page
    assert "+19 points in 1 h" in page
    assert "19.0 points an hour" in page
    assert "the same reset" in page


def test_the_readings_are_those_that_held_at_the_two_moments(readings, script):
    text = script.get(between(0, 1, "&format=text")).get_data(as_text=True)
    later = script.get(
        f"{PAGE}?window=weekly&from={NOW + 5}&to={NOW + HOUR + 5}&format=text"
    ).get_data(as_text=True)

    assert text == later
    assert "before   2026-11-21 12:00:00 UTC  40 % used" in text
    assert "after    2026-11-21 13:00:00 UTC  41 % used" in text


def test_an_early_reset_between_them_is_named(readings, browser, script):
    assert "Reset early" in browser.get(between(2, 3)).get_data(as_text=True)
    assert "reset_early" in script.get(between(2, 3, "&format=text")).get_data(as_text=True)
    assert "reset_early" not in script.get(between(0, 2, "&format=text")).get_data(as_text=True)


def test_a_drain_beyond_what_such_hours_take_is_marked(readings, browser, script):
    hours_used(5)

    page = browser.get(between(1, 2)).get_data(as_text=True)
    assert "Unusual drain" in page
    assert "5.0 points an hour" in page
    assert "unusual_drain" in script.get(between(1, 2, "&format=text")).get_data(as_text=True)
    assert "Unusual drain" not in browser.get(between(0, 1)).get_data(as_text=True)


def test_what_is_usual_leaves_out_the_drain_itself_and_hours_that_end_a_silence(readings, script):
    hours_used(5)
    with store.database.transaction() as tx:
        # Without the hours before them these are the first after a silence.
        tx.execute(rollup.delete().where(rollup.c.slot % WEEK == NOW % WEEK))

    assert "usual    unknown" in script.get(between(1, 2, "&format=text")).get_data(as_text=True)


def test_each_change_between_them_is_listed_and_leads_to_its_own_page(readings, browser, script):
    page = browser.get(between(0, 5)).get_data(as_text=True)
    text = script.get(between(0, 5, "&format=text")).get_data(as_text=True)

    assert page.count("\u202f% →") == 5
    assert f"from={NOW + HOUR}" in page
    assert [line.split("  ")[1] for line in text.splitlines()[-5:]] == [
        "1 → 2 %: +1 points in 3600 s (1.0 points an hour), the same reset",
        "0 → 1 %: +1 points in 3600 s (1.0 points an hour), the same reset",
        "60 → 0 %: -60 points in 3600 s (-60.0 points an hour), the reset moved by +360000 s",
        "41 → 60 %: +19 points in 3600 s (19.0 points an hour), the same reset",
        "40 → 41 %: +1 points in 3600 s (1.0 points an hour), the same reset",
    ]


def test_csv_has_a_line_for_the_whole_and_one_for_each_change(readings, script):
    answer = script.get(between(0, 2, "&format=csv"))
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))

    assert answer.content_type == "text/csv; charset=utf-8"
    assert [(row["before_used_percent"], row["after_used_percent"]) for row in rows] == [
        ("40", "60"),
        ("41", "60"),
        ("40", "41"),
    ]


@pytest.mark.parametrize("more", ["&format=xml", "&format=", "&window=nonsense", "&from=x&to=y"])
def test_a_wrong_word_is_refused(readings, script, more):
    assert script.get(f"{PAGE}?a=b{more}").status_code == 400


def test_unknown_accounts_and_windows_are_refused(readings, script):
    assert script.get("/accounts/nobody/between").status_code == 404
    assert script.get(f"{PAGE}?window=daily").status_code == 400


def test_where_nothing_was_read_twice_it_says_so(readings, browser, script):
    empty = between(-9, -8)

    assert "was not read twice" in browser.get(empty).get_data(as_text=True)
    text = script.get(f"{empty}&format=text").get_data(as_text=True)
    assert text == "no two readings in this time\n"
    assert len(script.get(f"{empty}&format=csv").get_data(as_text=True).splitlines()) == 1


def test_the_moments_of_the_form_are_on_the_clocks_of_the_viewer(readings, browser):
    words = "clock=viewer&window=weekly&from=2026-11-21T21:00&to=2026-11-21T22:00"
    page = browser.get(f"{PAGE}?{words}").get_data(as_text=True)

    assert "+19 points" in page


def test_the_report_names_nobody_by_an_address(installation, codex, browser, script):
    installation.file("jane@example.com", "acct-jane")
    _read(installation, codex, "jane@example.com", (40, 41), account_id="acct-jane")
    path = f"/accounts/jane@example.com/between?window=weekly&from={NOW}&to={NOW + HOUR}"

    for form in ("text", "csv"):
        text = script.get(f"{path}&format={form}").get_data(as_text=True)
        assert "account 1" in text
        assert "jane" not in text
        assert "acct-" not in text
    page = browser.get(path).get_data(as_text=True)
    shown = page[page.index("<textarea") : page.index("</textarea>")]
    assert "account 1" in shown
    assert "jane" not in shown


def test_events_and_resets_lead_to_their_two_readings(readings, browser):
    for path in ("/events", "/resets"):
        page = browser.get(path).get_data(as_text=True)
        [link] = [part for part in page.split('"') if part.strip().startswith(PAGE)]
        shown = browser.get(link.strip().replace("&amp;", "&")).get_data(as_text=True)
        assert "Reset early" in shown
        assert "-60 points" in shown


def test_the_account_page_leads_to_the_last_day(readings, browser):
    with clock.frozen(NOW + 6 * HOUR):
        assert f"{PAGE}?window=weekly" in browser.get("/accounts/alice").get_data(as_text=True)
        assert "each change" in browser.get(f"{PAGE}?window=weekly").get_data(as_text=True).lower()
