"""The dashboard's table: counts, filters and orders, all of them from the address; pure."""

import pytest

from quota_web.web import overview

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z


def row(name, five=None, weekly=None, **changes):
    windows = [
        {"key": k, "label": k, "remaining_percent": v, "used_percent": 100 - v, "resets_at": f"2026-11-21T{h}:00:00Z"}
        for k, v, h in (("five_hour", five, 14), ("weekly", weekly, 20))
        if v is not None
    ]
    entry = {
        "account": name,
        "status": "ok",
        "plan_type": "plus",
        "email": f"{name}@example.com",
        "windows": windows,
        "stale": False,
        "same_login_as": None,
    }
    entry |= {
        "five_hour_percent": five,
        "weekly_percent": weekly,
        "five_hour_reset_at": None,
        "weekly_reset_at": None,
        "taken_at": "2026-11-21T12:00:00Z",
    }
    return entry | {"blocked": False, "blocked_until": None, "reached_type": None, "spend_reached": False} | changes


ROWS = [
    row("alice", 88, 60),
    row("bob", None, 0, blocked=True, plan_type="pro"),
    row("carol", 42, 71),
    row("Dave", 88, 90),
    row("erin", 99, 99, status="expired"),
    row("frank", status="pending"),
    row("gina", 10, 10, status="deactivated"),
]


def shown(**args):
    return [r["account"] for r in overview.table(ROWS, args, NOW)["rows"]]


def test_most_five_hour_left_comes_first_then_weekly_and_none_last():
    assert shown() == ["erin", "Dave", "alice", "carol", "gina", "bob", "frank"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("weekly", ["erin", "Dave", "carol", "alice", "gina", "bob", "frank"]),
        ("-weekly", ["bob", "gina", "alice", "carol", "Dave", "erin", "frank"]),
        ("-five_hour", ["gina", "carol", "alice", "Dave", "erin", "bob", "frank"]),
        ("account", ["alice", "bob", "carol", "Dave", "erin", "frank", "gina"]),
        ("-account", ["gina", "frank", "erin", "Dave", "carol", "bob", "alice"]),
        ("status", ["erin", "gina", "bob", "Dave", "alice", "carol", "frank"]),
    ],
)
def test_rows_sort_both_ways_and_unknown_numbers_stay_last(sort, order):
    assert shown(sort=sort) == order


@pytest.mark.parametrize("args", [{"sort": "x"}, {"show": "x"}, {"range": "x"}, {"sort": "-"}])
def test_nonsense_in_the_address_is_the_default(args):
    found = overview.table(ROWS, args, NOW)

    assert (found["sort"], found["backwards"], found["show"], found["range"]) == ("five_hour", False, "all", "24h")


@pytest.mark.parametrize(
    ("show", "names"), [("usable", ["Dave", "alice", "carol"]), ("blocked", ["bob"]), ("hand", ["erin", "gina"]), ("all", shown())]
)
def test_filters_let_their_groups_through(show, names):
    assert shown(show=show) == names


@pytest.mark.parametrize(("q", "names"), [("ALI", ["alice"]), ("carol@", ["carol"]), ("pro", ["bob"]), ("zz", [])])
def test_search_finds_names_addresses_and_plans(q, names):
    assert shown(q=q) == names


def test_counts_are_of_all_accounts_whatever_is_shown():
    found = overview.table(ROWS, {"show": "blocked"}, NOW)

    assert found["total"] == 7
    assert found["groups"] == {"usable": 3, "blocked": 1, "hand": 2, "idle": 1}
    assert found["sign_in"] == ["erin"]


def test_best_is_the_usable_account_that_lasts_longest():
    assert overview.table(ROWS, {}, NOW)["best"]["account"] == "Dave"
    assert overview.table([row("alice", 100, 9), row("carol", 42, 71)], {}, NOW)["best"]["account"] == "carol"
    assert overview.table(ROWS[1:2], {}, NOW)["best"] is None


def test_the_next_reset_is_that_of_a_blocked_account_if_one_waits():
    found = overview.table(ROWS, {}, NOW)["next_reset"]

    assert (found.account, found.at) == ("bob", "2026-11-21T20:00:00Z")


def test_otherwise_the_next_reset_is_the_earliest_of_a_window_in_use():
    found = overview.next_reset([row("alice", 88, 60), row("carol", 100, 71)], NOW)

    assert found is not None
    assert found.account == "alice"
    assert overview.next_reset([row("alice", 100, 100)], NOW) is None


def test_no_accounts_are_no_fault():
    found = overview.table([], {}, NOW)

    assert (found["rows"], found["total"], found["best"], found["next_reset"]) == ([], 0, None, None)
