"""How groups, marks and places change as time passes and attempts fail, as `/api/results` tells
them.
"""

from typing import Any

import pytest

from quota_web.reports import overview, results_json
from quota_web.reports.overview import ViewCache
from tests.fakes import NOW, FakeResponse, usage_body
from tests.installation import open_installation

MINUTE, HOUR, DAY = 60, 3_600, 86_400
pytestmark = pytest.mark.usefixtures("database")


def entries(installation, now=None):
    found = overview.load_overview(installation.scope, now or installation.now, HOUR)
    return {entry["account"]: entry for entry in results_json.document(found)["results"]}


def body(five=12, week=40, five_in=2 * HOUR, week_in=3 * DAY, **more):
    found: Any = usage_body(five, week, **more)
    for slot, seconds in (("primary_window", five_in), ("secondary_window", week_in)):
        if found["rate_limit"][slot] is not None:
            found["rate_limit"][slot]["reset_at"] = NOW + seconds
    return found


def groups(installation, name, *moments):
    return [entries(installation, NOW + at)[name]["group"] for at in moments]


def test_a_reading_that_is_stale_by_a_reset_alone_keeps_its_group_for_ten_minutes(
    installation, codex
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=body(five_in=HOUR)))
    installation.refresh()

    found = groups(
        installation, "alice", HOUR - 1, HOUR, HOUR + 10 * MINUTE - 1, HOUR + 10 * MINUTE
    )
    assert found == ["usable", "usable", "usable", "unknown"]
    assert [entries(installation, NOW + at)["alice"]["stale"] for at in (HOUR - 1, HOUR)] == [
        False,
        True,
    ]


def test_a_reading_that_is_too_old_loses_its_group_at_once(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=body(five_in=DAY)))
    installation.refresh()

    assert groups(installation, "alice", 2 * HOUR, 2 * HOUR + 1) == ["usable", "unknown"]


def test_a_reading_from_the_future_is_fresh_once_the_clock_is_there(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=body()))
    installation.refresh()

    seen = overview.load_overview(installation.scope, NOW - HOUR, HOUR)
    assert seen.flips_at == NOW - 30
    assert groups(installation, "alice", -31, -30) == ["unknown", "usable"]


def test_a_blocked_account_is_usable_at_its_reset_and_unknown_when_nobody_looks(
    installation, codex
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=body(five=100, five_in=4 * HOUR)))
    installation.refresh()

    moments = (0, 4 * HOUR - 1, 4 * HOUR, 4 * HOUR + 10 * MINUTE)
    assert groups(installation, "alice", *moments) == ["blocked", "blocked", "usable", "unknown"]


def test_the_document_says_when_a_group_changes_by_itself(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=body(five_in=HOUR)))
    installation.refresh()

    flips = [
        overview.load_overview(installation.scope, NOW + at, HOUR).flips_at for at in (0, HOUR)
    ]
    assert flips == [NOW + HOUR, NOW + HOUR + 10 * MINUTE]


def test_a_failed_attempt_marks_an_account_and_sets_it_behind_those_that_answered(
    installation, codex
):
    for name, five in (("best", 1), ("other", 50), ("out", 100)):
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=body(five)), FakeResponse(429, body={}))
    installation.refresh()
    assert [(n, e["rank"]) for n, e in entries(installation).items()] == [
        ("best", 1),
        ("other", 2),
        ("out", 3),
    ]

    installation.now = NOW + 5 * MINUTE
    installation.ask("best")
    found = entries(installation)

    assert [(n, e["group"], e["rank"]) for n, e in found.items()] == [
        ("other", "usable", 1),
        ("best", "usable", 2),
        ("out", "blocked", 3),
    ]
    assert {n: e["failing_since"] for n, e in found.items() if e["failing_since"]} == {
        "best": "2026-11-21T12:05:00Z"
    }


def test_failing_is_since_the_first_failure_whatever_the_later_ones_were(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=body()),
        FakeResponse(500, body={}),
        FakeResponse(200, raw=b"<html>"),
        FakeResponse(body=body()),
    )
    told = []
    for installation.now in (NOW, NOW + 10 * MINUTE, NOW + 20 * MINUTE, NOW + 30 * MINUTE):
        installation.refresh(force=True)
        told.append(entries(installation)["alice"]["failing_since"])

    assert told == [None, "2026-11-21T12:10:00Z", "2026-11-21T12:10:00Z", None]


def test_a_paused_account_is_not_said_to_fail(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(500, body={}))
    installation.refresh()
    installation.execute("UPDATE account SET paused_at = :now", now=NOW)

    assert (
        entries(installation)["alice"]["group"],
        entries(installation)["alice"]["failing_since"],
    ) == ("paused", None)


def test_an_account_that_never_answered_is_unknown(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(503, body={}))
    installation.refresh()

    assert (
        entries(installation)["alice"]["group"],
        entries(installation)["alice"]["failing_since"],
    ) == ("unknown", "2026-11-21T12:00:00Z")


def test_views_that_are_kept_are_those_of_one_database(
    installation, codex, made_instance, tmp_path
):
    def shown(there):
        with there.app.app_context():
            [seen] = there.services.the(ViewCache).overview(there.scope, NOW, HOUR).accounts
        return [window.used_percent for window in seen.windows]

    codex.answers("acct-alice", FakeResponse(body=body(12)), FakeResponse(body=body(34)))
    installation.file("alice")
    installation.refresh()
    assert shown(installation) == [12, 40]

    # A copy of the same file: its accounts have the same numbers and versions.
    copy = tmp_path / "copy"
    copy.mkdir()
    with open_installation(copy, codex, template=made_instance) as other:
        other.file("alice")
        other.refresh()
        assert shown(other) == [34, 40]
    assert shown(installation) == [12, 40]
