"""The dashboard's table: counts, filters and orders, all of them from the address; pure."""

import pytest

from quota_web.web import dashboard_table

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z


def row(name, five=None, weekly=None, **changes):
    windows = [
        {
            "key": k,
            "label": k,
            "remaining_percent": v,
            "used_percent": 100 - v,
            "resets_at": f"2026-11-21T{h}:00:00Z",
        }
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
    entry |= {"blocked": False, "blocked_until": None, "reached_type": None, "spend_reached": False}
    return entry | {"group": "usable", "rank": 1, "failing_since": None, "credits": None} | changes


#: In the order of /api/results.
ROWS = [
    {**found, "rank": place}
    for place, found in enumerate(
        [
            row("Dave", 88, 90),
            row("alice", 88, 60),
            row("carol", 42, 71),
            row("heidi", 95, 95, status="rate_limited", failing_since="2026-11-21T12:01:00Z"),
            row("bob", None, 0, blocked=True, group="blocked", plan_type="pro"),
            row("erin", 99, 99, status="expired", group="attention"),
            row("gina", 10, 10, status="deactivated", group="attention"),
            row("frank", status="pending", group="unknown", taken_at=None),
            row("ken", 100, 100, status="paused", group="paused"),
        ],
        1,
    )
]
ORDER = [found["account"] for found in ROWS]


def shown(**args):
    return [r["account"] for r in dashboard_table.table(ROWS, args, NOW)["rows"]]


def test_rows_stand_in_the_order_of_the_api_whatever_order_they_are_given_in():
    assert shown() == ORDER
    assert [r["account"] for r in dashboard_table.table(ROWS[::-1], {}, NOW)["rows"]] == ORDER


@pytest.mark.parametrize(
    ("sort", "usable"),
    [
        ("weekly", ["heidi", "Dave", "carol", "alice"]),
        ("-weekly", ["alice", "carol", "Dave", "heidi"]),
        ("five_hour", ["heidi", "Dave", "alice", "carol"]),
        ("-five_hour", ["carol", "alice", "Dave", "heidi"]),
        ("account", ["alice", "carol", "Dave", "heidi"]),
        ("-account", ["heidi", "Dave", "carol", "alice"]),
        ("status", ["Dave", "alice", "carol", "heidi"]),
    ],
)
def test_a_column_sorts_inside_the_groups(sort, usable):
    found = shown(sort=sort)

    assert found[:4] == usable
    assert found[4] == "bob"
    assert set(found[5:7]) == {"erin", "gina"}
    assert found[7:] == ["frank", "ken"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("weekly", ["ken", "erin", "heidi", "Dave", "carol", "alice", "gina", "bob", "frank"]),
        ("-weekly", ["bob", "gina", "alice", "carol", "Dave", "heidi", "erin", "ken", "frank"]),
        ("account", ["alice", "bob", "carol", "Dave", "erin", "frank", "gina", "heidi", "ken"]),
    ],
)
def test_without_groups_rows_sort_both_ways_and_unknown_numbers_stay_last(sort, order):
    found = dashboard_table.table(ROWS, {"sort": sort, "group": "none"}, NOW)

    assert [r["account"] for r in found["rows"]] == order
    assert [s.heading for s in found["sections"]] == [None]


def test_each_group_has_its_heading_and_its_rows():
    found = dashboard_table.table(ROWS, {}, NOW)["sections"]

    assert [(s.group, s.heading, len(s.rows)) for s in found] == [
        ("usable", "Can be used", 4),
        ("blocked", "Used up", 1),
        ("attention", "Needs you", 2),
        ("unknown", "Not known", 1),
        ("paused", "Paused", 1),
    ]


@pytest.mark.parametrize("args", [{"sort": "x"}, {"show": "x"}, {"range": "x"}, {"sort": "-"}])
def test_nonsense_in_the_address_is_the_default(args):
    found = dashboard_table.table(ROWS, args, NOW)

    assert (found["sort"], found["backwards"], found["show"], found["range"]) == (
        "rank",
        False,
        "all",
        "24h",
    )


@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("usable", ["Dave", "alice", "carol", "heidi"]),
        ("blocked", ["bob"]),
        ("attention", ["erin", "gina"]),
        # What older addresses say.
        ("hand", ["erin", "gina"]),
        ("failing", ["heidi"]),
        ("unknown", ["frank"]),
        ("paused", ["ken"]),
        ("all", ORDER),
    ],
)
def test_filters_let_their_groups_through(show, names):
    assert shown(show=show) == names


@pytest.mark.parametrize(
    ("q", "names"), [("ALI", ["alice"]), ("carol@", ["carol"]), ("pro", ["bob"]), ("zz", [])]
)
def test_search_finds_names_addresses_and_plans(q, names):
    assert shown(q=q) == names


def test_counts_are_of_all_accounts_whatever_is_shown():
    found = dashboard_table.table(ROWS, {"show": "blocked"}, NOW)

    assert found["total"] == 9
    assert found["groups"] == {"usable": 4, "blocked": 1, "attention": 2, "unknown": 1, "paused": 1}
    assert found["sign_in"] == ["erin"]
    assert [r["account"] for r in found["failing"]] == ["heidi"]


def test_a_login_that_is_here_twice_counts_once():
    twin = row("alice again", 88, 60, same_login_as="alice") | {"rank": 2}
    found = dashboard_table.table([ROWS[1], twin], {}, NOW)

    assert (found["total"], found["groups"]["usable"], len(found["rows"])) == (1, 1, 2)


def test_best_is_the_first_that_can_be_used_and_nobody_where_none_can():
    assert dashboard_table.table(ROWS, {}, NOW)["best"]["account"] == "Dave"
    assert dashboard_table.table(ROWS[4:], {}, NOW)["best"] is None


def test_the_next_reset_is_that_of_a_blocked_account_if_one_waits():
    found = dashboard_table.table(ROWS, {}, NOW)["next_reset"]

    assert (found.account, found.at) == ("bob", "2026-11-21T20:00:00Z")


def test_a_window_of_any_length_can_be_the_next_reset_and_a_models_cannot():
    odd = {
        "key": "window:3600",
        "label": "1 hour",
        "remaining_percent": 50,
        "used_percent": 50,
        "resets_at": "2026-11-21T12:30:00Z",
    }
    model = odd | {"key": "model:x:weekly", "label": "x", "resets_at": "2026-11-21T12:10:00Z"}
    found = dashboard_table.next_reset([row("alice", windows=[model, odd])], NOW)

    assert found is not None
    assert (found.label, found.at) == ("1 hour", "2026-11-21T12:30:00Z")


def test_otherwise_the_next_reset_is_the_earliest_of_a_window_in_use():
    found = dashboard_table.next_reset([row("alice", 88, 60), row("carol", 100, 71)], NOW)

    assert found is not None
    assert found.account == "alice"
    assert dashboard_table.next_reset([row("alice", 100, 100)], NOW) is None


def test_no_accounts_are_no_fault():
    found = dashboard_table.table([], {}, NOW)

    assert (found["rows"], found["total"], found["best"], found["next_reset"]) == (
        [],
        0,
        None,
        None,
    )
