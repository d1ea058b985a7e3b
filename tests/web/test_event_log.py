"""Events, cycles and readings for scripts and on pages: what every reader may see, and no more."""

import csv
import io
import json
import re
from datetime import datetime

import pytest

from quota_web import store
from quota_web.core import clock, csv_text, event_visibility
from quota_web.reports import raw_history
from quota_web.reports.history import HistoryQuery
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import Script, visiting

HOUR = 3_600
#: The moment of a row of a list.
ROW_TIME = re.compile(r'<td><time datetime="([^"]+)"')


@pytest.fixture
def script(browser):
    return Script(browser)


@pytest.fixture
def reset(installation, codex):
    """Alice's weekly window was reset early, and bob joined her."""
    installation.file("alice")
    for hour, used in enumerate((40, 41, 0, 1, 2)):
        later = HOUR * (100 if used < 10 else 0)
        body = usage_body(None, used, at=NOW + later)
        installation.now = NOW + hour * HOUR
        codex.answers("acct-alice", FakeResponse(body=body))
        installation.refresh("alice", force=True)
    return installation


def events(script, words: str = "") -> list[dict]:
    return json.loads(script.get(f"/api/events{words}").data)["events"]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_events_are_answered_by_ascending_ids_and_further_ones_by_the_last(reset, script):
    answer = script.get("/api/events?limit=1")
    first = json.loads(answer.data)
    rest = json.loads(script.get(f"/api/events?after={first['last_id']}").data)

    assert [e["kind"] for e in first["events"] + rest["events"]] == ["account_added", "reset_early"]
    [early] = rest["events"]
    assert (early["account"], early["window"], early["withdrawn_at"]) == ("alice", "weekly", None)
    assert (early["data"]["used_before"], early["data"]["used_after"]) == (41, 0)
    etag = {"If-None-Match": answer.headers["ETag"]}
    assert script.get("/api/events?limit=1", **etag).status_code == 304


def test_events_are_chosen_by_kind_and_account(reset, script):
    assert [e["kind"] for e in events(script, "?kind=reset_early&account=alice")] == ["reset_early"]
    assert script.get("/api/events?account=nobody").status_code == 404
    for words in ("kind=sign_in_failed", "kind=x", "limit=0x", "after=-1", "format=xml"):
        assert script.get(f"/api/events?{words}").status_code == 400


def test_of_all_kinds_only_those_of_quota_and_accounts_are_answered_and_no_actor(reset, script):
    audit = (
        "signed_in",
        "sign_in_failed",
        "password_set",
        "token_created",
        "account_exported",
        "database_restored",
        "key_rotated",
    )
    with store.database.transaction() as tx:
        for kind in (*audit, *event_visibility.OPEN):
            store.audit_log.add(tx, NOW, kind, "an actor", address="192.0.2.77")
        tx.exec_driver_sql("UPDATE event SET data = '{}' WHERE kind NOT IN ('signed_in')")

    for path in ("/api/events?limit=1000", "/api/events.csv", "/events"):
        text = script.get(path).get_data(as_text=True)
        assert "192.0.2.77" not in text
        assert "an actor" not in text
        said = (re.compile(rf"(?<![.\w]){kind.replace('_', '[_ ]')}") for kind in audit)
        assert not [pattern for pattern in said if pattern.search(text)]
    assert {e["kind"] for e in events(script, "?limit=1000")} == event_visibility.OPEN


def test_cycles_and_events_as_csv_say_what_json_says(reset, script):
    [cycle, _] = json.loads(script.get("/api/cycles?account=alice").data)["cycles"]
    [row, _] = rows(script.get("/api/cycles.csv").get_data(as_text=True))

    assert (cycle["how"], cycle["used_at_reset_percent"], cycle["wasted_percent"]) == (
        "early",
        41,
        59,
    )
    assert (row["how"], row["used_at_reset_percent"], row["is_lower_bound"]) == (
        "early",
        "41",
        "false",
    )
    early = rows(script.get("/api/events.csv?kind=reset_early").get_data(as_text=True))[0]
    assert json.loads(early["data"])["used_before"] == 41
    assert script.get("/api/cycles.csv?format=json").status_code == 400
    assert script.get("/api/cycles?window=nonsense").status_code == 400


def test_the_cycle_that_runs_comes_last_and_what_its_end_will_tell_is_not_known(reset, script):
    *_, running = json.loads(script.get("/api/cycles").data)["cycles"]
    *_, row = rows(script.get("/api/cycles.csv").get_data(as_text=True))

    assert (running["how"], running["ended_at"], running["peak_percent"]) == ("open", None, 2)
    assert (running["used_at_reset_percent"], running["wasted_percent"]) == (None, None)
    assert running["readings"] == 3
    assert (row["how"], row["ended_at"], row["used_at_reset_percent"]) == ("open", "", "")
    assert reset.run("cycles").stdout.splitlines()[-1].split() == (
        ["alice", "weekly", "-", "open", "-", "2", "0"]
    )


def test_a_cycle_that_runs_is_none_that_ended_before_a_moment_and_goes_with_its_window(
    reset, script, codex
):
    def hows(words: str = "") -> list[str]:
        found = json.loads(script.get(f"/api/cycles?{words}").data)["cycles"]
        return [cycle["how"] for cycle in found]

    assert hows("window=five_hour") == []
    assert hows(f"to={NOW + 10 * 24 * HOUR}") == ["early"]
    for hour in (6, 7):
        reset.now = NOW + hour * HOUR
        codex.answers("acct-alice", FakeResponse(body=usage_body(5, None, at=reset.now)))
        reset.refresh("alice", force=True)
    assert hows("window=weekly") == ["early"]


def test_cycles_are_chosen_by_range_and_reach_back_as_far_before_an_end(reset, script):
    def ended(words: str) -> int:
        found = json.loads(script.get(f"/api/cycles?{words}").data)["cycles"]
        return len([cycle for cycle in found if cycle["ended_at"] is not None])

    later = NOW + 10 * 24 * HOUR
    with clock.frozen(later):
        ranges = ("", "range=30d", "range=7d", "range=24h")
        assert [ended(words) for words in ranges] == [1, 1, 0, 0]
        assert ended(f"to={later}") == 1
        assert ended(f"to={NOW}") == 0
        for words in ("range=nonsense", f"range=7d&to={later}", "to=x"):
            assert script.get(f"/api/cycles?{words}").status_code == 400
            assert script.get(f"/api/cycles.csv?{words}").status_code == 400


def test_readings_as_csv_raw_and_in_buckets(reset, script):
    words = f"from={NOW}&to={NOW + 5 * HOUR}&window=weekly"
    raw = rows(script.get(f"/api/history.csv?raw=1&{words}").get_data(as_text=True))

    assert [row["used_percent"] for row in raw] == ["40", "41", "0", "1", "2"]
    assert raw[0]["taken_at"] == "2026-11-21T12:00:00Z"
    buckets = rows(script.get(f"/api/history.csv?{words}").get_data(as_text=True))
    assert next(row["remaining"] for row in buckets if row["remaining"]) == "60"


def test_the_first_version_of_the_api_is_the_api(reset, script):
    for path in ("events", "results", "cycles", "history"):
        assert script.get(f"/api/v1/{path}").data == script.get(f"/api/{path}").data


def test_a_text_cannot_become_a_formula():
    text = "".join(csv_text.lines(("a",), [["=1+1"], ["@x"], ["-2"], [-2.5], ['say "x"']]))

    assert text.splitlines() == ["a", "'=1+1", "'@x", "'-2", "-2.5", '"say ""x"""']


def test_the_pages_list_what_happened_and_strike_out_what_was_withdrawn(reset, browser):
    reset.execute("UPDATE event SET withdrawn_at = :at WHERE kind = 'reset_early'", at=NOW + HOUR)

    for path in ("/events", "/resets?account=alice", "/events?kind=reset_early"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "alice" in page.get_data(as_text=True)
        assert "<s>" in page.get_data(as_text=True)


def test_the_pages_name_kinds_and_windows_as_all_other_pages_do(reset, browser):
    events, resets = (browser.get(path).get_data(as_text=True) for path in ("/events", "/resets"))

    assert "Reset early · Weekly: " in events
    assert ">Weekly</td>" in resets


def test_commands_say_what_happened(reset):
    assert "reset_early  alice  weekly" in reset.run("events").stdout
    assert json.loads(reset.run("events", "--json").stdout)["events"][1]["kind"] == "reset_early"
    assert "early" in reset.run("cycles", "alice").stdout
    assert rows(reset.run("cycles", "--csv").stdout)[0]["how"] == "early"
    assert len(rows(reset.run("history", "--window", "weekly", "--csv").stdout)) == 5
    assert reset.run("events", "--since", "never").exit_code == 1


@pytest.mark.usefixtures("database")
def test_the_pages_and_any_after_work_on_both_databases(reset, browser, script):
    for path in ("/events", "/resets", "/accounts/alice", "/history"):
        assert browser.get(path).status_code == 200
    assert events(script, f"?after={2**62}") == []


def test_a_browser_session_sees_what_was_done_to_the_dashboard_and_which_actor_did_it(
    reset, browser, script
):
    with store.database.transaction() as tx:
        store.audit_log.add(tx, NOW, "signed_in", "password session", address="192.0.2.77")
        store.audit_log.add(tx, NOW, "token_created", "password session", name="ci")
    page = browser.get("/events").get_data(as_text=True)

    assert "Signed in here from 192.0.2.77" in page
    assert "API token created: ci" in page
    assert "by password session" in page
    kinds = {event["kind"] for event in json.loads(browser.get("/api/events").data)["events"]}
    assert {"signed_in", "token_created", "reset_early"} <= kinds
    assert "signed_in" in browser.get("/api/events.csv").get_data(as_text=True)
    assert browser.get("/api/events?kind=signed_in").status_code == 200
    assert script.get("/api/events?kind=signed_in").status_code == 400


def test_without_a_sign_in_nobody_sees_the_audit(reset):
    with store.database.transaction() as tx:
        store.audit_log.add(tx, NOW, "signed_in", "password session", address="192.0.2.77")
    with visiting(reset, QUOTA_AUTH="off") as browser:
        for path in ("/events", "/api/events", "/api/events.csv"):
            text = browser.get(path).get_data(as_text=True)
            assert "192.0.2.77" not in text
            assert "password session" not in text


def test_pages_are_in_the_order_of_time_whenever_it_was_written_down(reset, browser, monkeypatch):
    monkeypatch.setattr("quota_web.web.event_log.MOST_SHOWN", 2)
    with store.database.transaction() as tx:
        for hours in (-50, 90, -20):
            store.audit_log.add(tx, NOW + hours * HOUR, "account_paused", "x", name=f"at{hours}")
    seen, address = [], "/events"
    while address:
        page = browser.get(address).get_data(as_text=True)
        seen += [datetime.fromisoformat(at) for at in ROW_TIME.findall(page)]
        older = re.search(r'href="(/events\?before=[^"]*)"', page)
        address = older[1].replace("&amp;", "&") if older else ""

    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)


def test_the_quick_csv_of_readings_is_that_of_any_rows(reset):
    """With a name that needs quotes, an absence, a fraction, and a reset that is missing."""
    reset.execute("UPDATE account SET name = 'a \"b\", c'")
    reset.execute("UPDATE reading SET used_percent = NULL, resets_at = NULL WHERE used_percent = 1")
    reset.execute("UPDATE reading SET used_percent = 40.25 WHERE used_percent = 40")
    asked = HistoryQuery(NOW, NOW + 5 * HOUR, windows=("weekly",))
    scope = store.accounts.Scope()

    whole = "".join(csv_text.lines(raw_history.COLUMNS, raw_history.readings(scope, asked)))
    assert "".join(raw_history.csv_lines(scope, asked)) == whole
    assert len(whole.splitlines()) == 6
