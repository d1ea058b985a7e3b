"""One row a fact: outages from beginning to end, flaps, logins with two names, alerts."""

from typing import Any

from quota_web.core.times import iso_text
from quota_web.web.event_rows import EventRow, collapsed, rows
from tests.fakes import NOW

MINUTE, HOUR = 60, 3_600


def event(kind: str, minutes: int, account: str | None = "alice", **more: Any) -> dict[str, Any]:
    """An event so many minutes after NOW, as the API answers it."""
    at = NOW + minutes * MINUTE
    window, withdrawn_at = more.pop("window", None), more.pop("withdrawn_at", None)
    return {
        "id": minutes * 10,
        "at": iso_text(at),
        "kind": kind,
        "account": account,
        "window": window,
        "data": more,
        "withdrawn_at": withdrawn_at,
        "text": None,
    }


def listed(*events: dict[str, Any], **holders: str) -> list[EventRow]:
    """The rows of events given oldest first."""
    return rows(sorted(events, key=lambda e: e["id"], reverse=True), holders)


def spans(found: list[EventRow]) -> list[tuple[tuple[str, ...], int, int]]:
    """Whose, and the minutes from when to when, of rows that lasted."""
    return [
        (row.accounts, ((row.since or 0) - NOW) // MINUTE, (row.at - NOW) // MINUTE)
        for row in found
        if row.is_span
    ]


def outage(account: str, start: int, end: int, status: str = "unreachable") -> list[dict[str, Any]]:
    return [
        event("failing_since", start, account, status=status),
        event("fine_again", end, account, status=status),
    ]


def test_an_outage_is_one_row_from_its_beginning_to_its_end():
    found = listed(*outage("alice", 12, 48))

    assert [row.kind for row in found] == ["failing_since"]
    assert spans(found) == [(("alice",), 12, 48)]


def test_an_outage_that_goes_on_and_an_end_whose_beginning_is_not_listed_stay_as_they_are():
    found = listed(event("fine_again", 1), event("failing_since", 5, status="unreachable"))

    assert [(row.kind, row.is_span) for row in found] == [
        ("failing_since", False),
        ("fine_again", False),
    ]


def test_the_end_of_one_account_ends_no_outage_of_another():
    began = event("failing_since", 1, "alice", status="unreachable")
    found = listed(began, event("fine_again", 5, "bob"))

    assert spans(found) == []
    assert len(found) == 2


def test_outages_of_several_accounts_at_once_are_one_row():
    found = listed(*outage("alice", 12, 48), *outage("bob", 20, 60), *outage("carol", 100, 110))

    assert spans(found) == [(("carol",), 100, 110), (("alice", "bob"), 12, 60)]


def test_outages_of_another_kind_and_a_second_one_of_the_same_account_are_rows_of_their_own():
    found = listed(
        *outage("alice", 12, 48), *outage("bob", 20, 60, "upstream_error"), *outage("alice", 50, 55)
    )

    assert len(spans(found)) == 3


def test_a_sign_in_that_ended_lasts_until_the_account_is_fine_again():
    ended = event("sign_in_ended", 3, status="expired")
    found = listed(ended, event("fine_again", 9, status="expired"))

    assert [row.kind for row in found] == ["sign_in_ended"]
    assert spans(found) == [(("alice",), 3, 9)]


def test_flaps_within_a_day_are_one_row_with_their_windows():
    found = listed(
        event("flapping", 0, window="weekly"),
        event("flapping", 13 * 60, window="five_hour"),
        event("flapping", 13 * 60 + 5, window="weekly"),
        event("flapping", 72 * 60, window="weekly"),
    )

    assert [(row.count, row.event["window"], row.windows) for row in found] == [
        (1, "weekly", ()),
        (3, "weekly", ("five_hour",)),
    ]
    assert spans(found) == [(("alice",), 0, 785)]


def test_a_login_with_two_names_has_its_reset_once():
    first = event("reset_early", 0, "alice", window="weekly", used_before=40)
    other = event("reset_early", 30, "work", window="weekly", used_before=40)
    later = event("reset_early", 300, "work", window="weekly", used_before=40)

    assert [row.accounts for row in listed(first, other, work="alice")] == [("alice",)]
    assert len(listed(first, other)) == 2
    assert len(listed(first, later, work="alice")) == 2
    assert [row.accounts for row in listed(other, work="alice")] == [("work",)]


def test_a_reset_for_all_names_each_login_once():
    parts = [[name, "weekly", iso_text(NOW)] for name in ("alice", "work", "bob")]
    [row] = listed(event("reset_provider", 0, None, parts=parts), work="alice")

    assert [part[0] for part in row.event["data"]["parts"]] == ["alice", "bob"]


def test_an_early_reset_that_became_part_of_one_for_all_is_told_by_that_alone():
    early = event("reset_early", 0, window="weekly", withdrawn_at=iso_text(NOW), used_before=40)
    other = event("reset_early", 9, window="weekly", withdrawn_at=iso_text(NOW), used_before=40)
    parts = [["alice", "weekly", iso_text(NOW)]]
    found = listed(early, event("reset_provider", 5, None, parts=parts), other)

    assert [(row.kind, row.at) for row in found] == [
        ("reset_early", NOW + 9 * MINUTE),
        ("reset_provider", NOW + 5 * MINUTE),
    ]


def test_an_alert_tells_the_event_that_it_came_of():
    used = event("used_up", 0, window="weekly")
    found = listed(used, event("quota.exhausted", 1, window="weekly"))

    assert [row.kind for row in found] == ["quota.exhausted"]
    assert len(listed(used, event("quota.exhausted", 1, "bob", window="weekly"))) == 2
    assert len(listed(used, event("quota.exhausted", 60, window="weekly"))) == 2


def test_notices_of_withdrawals_are_no_rows_since_the_event_itself_is_struck_out():
    assert listed(event("withdrawn", 1, of=7)) == []


def test_neighbours_that_say_the_same_are_one_row_and_resets_never_are():
    failed = [event("sign_in_failed", minute, None) for minute in range(3)]
    [row] = collapsed(listed(*failed))

    assert (row.count, row.since, row.at) == (3, NOW, NOW + 2 * MINUTE)
    resets = [event("reset_early", m, window="weekly", used_before=m) for m in (0, 1)]
    assert len(list(collapsed(listed(*resets)))) == 2
