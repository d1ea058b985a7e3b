"""The calendar of resets: which windows come into it, under which UIDs, and as what."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from quota_web import store
from quota_web.core.errors import AccountNotFound
from quota_web.core.quota import Reading
from quota_web.reports import calendar
from quota_web.reports.calendar import CalendarQuery, ResetAhead, RunOut
from quota_web.store.forecasts import StoredForecast
from quota_web.store.windows import KnownWindow
from tests.fakes import NOW, FakeResponse, usage_body
from tests.installation import Installation

pytestmark = pytest.mark.usefixtures("database")

DAY = 86_400
WEEK = 604_800
ZONE = ZoneInfo("Asia/Shanghai")


def ahead(installation: Installation, **query) -> list[ResetAhead]:
    return calendar.ahead(
        installation.scope, CalendarQuery(**query), installation.now, interval_s=3_600
    )


def shown(installation: Installation, **query) -> list[tuple[str, str, int]]:
    return [(a.account, a.window.reading.key, a.resets_at) for a in ahead(installation, **query)]


def answer(weekly: float, resets_at: int, at: int, **more) -> FakeResponse:
    body: dict[str, Any] = usage_body(12, weekly, at=at, **more)
    body["rate_limit"]["secondary_window"]["reset_at"] = resets_at
    return FakeResponse(body=body)


def refresh_at(installation: Installation, now: int) -> None:
    installation.now = now
    installation.ask(force=True)


def test_the_weekly_reset_is_shown_and_the_five_hour_one_where_it_is_wanted(installation):
    installation.file("alice")
    installation.refresh()

    assert shown(installation) == [("alice", "weekly", NOW + 300_000)]
    assert shown(installation, with_short=True) == [
        ("alice", "five_hour", NOW + 7_200),
        ("alice", "weekly", NOW + 300_000),
    ]


def test_a_monthly_window_is_shown_a_models_and_a_spend_limit_are_not(installation, codex):
    body: dict[str, Any] = usage_body(12, None)
    month = {
        "used_percent": 30,
        "limit_window_seconds": 2_592_000,
        "reset_after_seconds": 9 * DAY,
        "reset_at": NOW + 9 * DAY,
    }
    body["rate_limit"]["secondary_window"] = month
    body["additional_rate_limits"] = [
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_spark",
            "rate_limit": {"allowed": True, "limit_reached": False, "secondary_window": month},
        }
    ]
    codex.answers("acct-alice", FakeResponse(body=body))
    installation.file("alice")
    installation.refresh()

    assert {w.key for w in installation.report("alice").windows} > {"five_hour", "monthly"}
    assert shown(installation) == [("alice", "monthly", NOW + 9 * DAY)]


def test_an_untouched_window_is_left_out(installation, codex):
    codex.answers("acct-alice", answer(0, NOW + WEEK, NOW))
    installation.file("alice")
    installation.refresh()

    assert shown(installation) == []


def test_an_outdated_reading_is_left_out_an_exhausted_accounts_is_not(installation, codex):
    codex.answers("acct-bob", answer(100, NOW + 3 * DAY, NOW))
    installation.file("alice")
    installation.file("bob")
    installation.refresh()
    installation.now = NOW + 2 * 3_600 + 1

    assert shown(installation) == [("bob", "weekly", NOW + 3 * DAY)]


def test_a_reset_that_has_passed_is_left_out(installation, codex):
    codex.answers("acct-alice", answer(40, NOW + 600, NOW))
    installation.file("alice")
    installation.refresh()
    installation.now = NOW + 601

    assert shown(installation) == []


def test_a_flapping_window_is_left_out_until_a_second_reading_agrees(installation, codex):
    installation.file("alice")
    installation.follow()
    due, other = NOW + 300_000, NOW + 500_000
    answers = [answer(40, due, NOW + at) for at in (0, 300)]
    answers += [answer(3, other, NOW + at) for at in (600, 900)]
    codex.answers("acct-alice", *answers)
    for at in (0, 300):
        refresh_at(installation, NOW + at)
    assert shown(installation) == [("alice", "weekly", due)]

    refresh_at(installation, NOW + 600)
    assert shown(installation) == []

    refresh_at(installation, NOW + 900)
    assert shown(installation) == [("alice", "weekly", other)]


def test_each_login_comes_once(installation):
    installation.file("alice")
    installation.file("again", account_id="acct-alice")
    installation.refresh()

    assert len(shown(installation)) == 1
    assert shown(installation, accounts=("again",))[0][0] == "again"


def test_names_with_an_address_are_hidden_unless_they_are_wanted(installation):
    installation.file("zoe")
    installation.file("alice@example.com", "acct-a")
    installation.file("bob@example.com", "acct-b")
    installation.refresh()

    hidden = {a.account for a in ahead(installation)}
    assert hidden == {"zoe", "account 1", "account 2"}
    assert {a.account for a in ahead(installation, with_names=True)} == {
        "zoe",
        "alice@example.com",
        "bob@example.com",
    }
    [one] = ahead(installation, accounts=("bob@example.com",))
    assert one.account == "account 2"


def test_an_unknown_account_is_refused(installation):
    with pytest.raises(AccountNotFound):
        ahead(installation, accounts=("nobody",))


def test_a_number_that_a_withdrawn_reset_had_begun_is_not_used_again(installation, codex):
    """What was shown of an interlude keeps its entry; the cycle that goes on has its own again."""
    installation.file("alice")
    installation.refresh()
    due, seen = NOW + 300_000, []

    def read(hours: float, used: float, resets_at: int) -> str:
        at = NOW + round(hours * 3_600)
        codex.answers("acct-alice", answer(used, resets_at, at))
        refresh_at(installation, at)
        return "".join(one.uid.rpartition("-")[2] for one in ahead(installation))

    seen += [read(0, 40, due), read(1, 41, due)]
    read(2, 3, due + 60_000)
    seen.append(read(2.1, 3, due + 60_000))
    read(3, 41, due)
    seen += [read(3.1, 41, due), read(4, 42, due)]
    for hours in (50, 50.1, 51, 52):
        read(hours, 5, due + 400_000)
    seen.append(read(53, 6, due + 400_000))

    assert seen == ["1", "1", "2", "1", "1", "3"]


def test_the_uid_stays_through_a_new_name_and_a_moved_reset_and_grows_with_the_cycle(
    installation, codex
):
    installation.file("alice")
    installation.refresh()
    [before] = ahead(installation)
    installation.execute("UPDATE account SET name = 'alicia', name_key = 'alicia'")
    codex.answers("acct-alice", answer(41, NOW + 300_060, NOW + 60))
    refresh_at(installation, NOW + 60)
    [renamed] = ahead(installation)
    columns = (
        "window_id, number, started_at, ended_at, how, used_at_reset, peak, zero_s, readings, "
        "gap_s, is_lower_bound, rule"
    )
    installation.execute(
        f"INSERT INTO cycle ({columns}) VALUES "
        "(:id, 7, 1, :now, 'scheduled', 40, 40, 0, 3, 0, false, 1)",
        id=renamed.window.id,
        now=NOW,
    )
    [later] = ahead(installation)

    assert renamed.account == "alicia"
    assert before.uid == renamed.uid == f"account-{renamed.account_id}-weekly-cycle-1"
    assert later.uid == f"account-{renamed.account_id}-weekly-cycle-8"


def one(probability: float | None, key: str = "weekly") -> ResetAhead:
    window = KnownWindow(5, 3, Reading(key, 40, NOW + 300_000, WEEK), NOW, None, None)
    run_out = None if probability is None else RunOut(probability, NOW + DAY + 20 * 3_600, NOW - 60)
    return ResetAhead(3, "alice", window, NOW + 300_000, 4, run_out)


@pytest.mark.parametrize(
    ("probability", "words"),
    [(None, None), (0.649, None), (0.65, "65 %"), (0.7, "70 %"), (0.99, "over 95 %")],
)
def test_a_likely_run_out_is_an_entry_of_its_whole_day(probability, words):
    reset, *run_out = calendar.entries([one(probability)], ZONE)

    assert (reset.uid, reset.at, reset.stamp) == (
        "account-3-weekly-cycle-4@codex-quota",
        NOW + 300_000,
        NOW,
    )
    assert reset.summary == "alice: weekly quota resets"
    # 08:00 UTC two days on is that day also in Shanghai.
    assert [(e.uid, e.at, e.summary) for e in run_out] == (
        []
        if words is None
        else [
            (
                "account-3-weekly-cycle-4-run-out@codex-quota",
                date(2026, 11, 23),
                f"alice: weekly quota may run out ({words})",
            )
        ]
    )


def forecast_of(installation: Installation, key: str, chance: float, resets_at: int) -> None:
    """Store what is forecast of alice's window: if it runs out, most likely in a day."""
    [window_id] = [
        a.window.id for a in ahead(installation, with_short=True) if a.window.reading.key == key
    ]
    said = StoredForecast(
        window_id, NOW, "forecast", NOW, 40, resets_at, chance, run_out_in=(3_600, DAY, 2 * DAY)
    )
    with store.database.transaction() as conn:
        store.forecasts.save(conn, [said])


def test_the_stored_forecast_says_when_a_long_window_may_run_out(installation):
    installation.file("alice")
    installation.refresh()
    forecast_of(installation, "weekly", 0.7, NOW + 300_060)
    forecast_of(installation, "five_hour", 0.9, NOW + 7_200)

    assert [a.run_out for a in ahead(installation, with_short=True)] == [
        None,
        RunOut(0.7, NOW + DAY, NOW),
    ]


def test_a_forecast_of_another_cycle_says_nothing_of_this_one(installation):
    installation.file("alice")
    installation.refresh()
    forecast_of(installation, "weekly", 0.7, NOW + 300_000 - WEEK)

    assert [a.run_out for a in ahead(installation)] == [None]


def test_the_text_is_read_by_a_calendar_program(installation):
    installation.file("alice")
    installation.refresh()

    text = calendar.text(installation.scope, CalendarQuery(), NOW, 3_600, ZONE)

    entry: Any
    [entry] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert entry["DTSTART"].dt == datetime.fromtimestamp(NOW + 300_000, UTC)
    assert entry["DTSTAMP"].dt == datetime.fromtimestamp(NOW, UTC)
    assert str(entry["DESCRIPTION"]) == "60 % was left at 2026-11-21T12:00:00Z."


def test_the_newest_readings_are_read_and_no_others(installation, codex):
    installation.file("alice")
    installation.follow()
    for number in range(5):
        refresh_at(installation, NOW + 300 * number)
    [weekly] = [a.window.id for a in ahead(installation)]

    with store.database.reading() as conn:
        found = store.calendar.newest_readings(conn, [weekly], 3)
        more = store.calendar.newest_readings(conn, [weekly], 99)

    assert [at for at, _, _ in found[weekly]] == [NOW + 600, NOW + 900, NOW + 1_200]
    assert len(more[weekly]) == 5
