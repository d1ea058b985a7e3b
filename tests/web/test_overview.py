"""The dashboard's list: counts, filters and orders, all of them from the address; pure."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from quota_web.core.times import iso
from quota_web.web import advice, dashboard_table, ribbon

NOW = 1_795_262_700  # 2026-11-21T12:05:00Z


def row(name, five=None, weekly=None, **changes):
    windows = [
        {
            "key": k,
            "label": k,
            "remaining_percent": v,
            "used_percent": 100 - v,
            "resets_at": f"2026-11-21T{h}:00:00Z",
            "window_seconds": length,
        }
        for k, v, h, length in (("five_hour", five, 14, 18_000), ("weekly", weekly, 20, 604_800))
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
#: How likely some of them run out.
for name, chance in (("alice", 0.4), ("carol", 0.1)):
    window = next(found for found in ROWS if found["account"] == name)["windows"][1]
    window["forecast"] = {"state": "forecast", "run_out_probability": chance, "pace": None}


def listed(rows, **args):
    return dashboard_table.table(rows, dashboard_table.parse_query(args))


def shown(**args):
    return [r["account"] for r in listed(ROWS, **args)["rows"]]


def test_rows_stand_in_the_order_of_the_api_whatever_order_they_are_given_in():
    assert shown() == ORDER
    assert [r["account"] for r in listed(ROWS[::-1])["rows"]] == ORDER


@pytest.mark.parametrize(
    ("sort", "usable"),
    [
        ("weekly", ["heidi", "Dave", "carol", "alice"]),
        ("-weekly", ["alice", "carol", "Dave", "heidi"]),
        ("five_hour", ["heidi", "Dave", "alice", "carol"]),
        ("-five_hour", ["carol", "alice", "Dave", "heidi"]),
        ("account", ["alice", "carol", "Dave", "heidi"]),
        ("-account", ["heidi", "Dave", "carol", "alice"]),
        ("lasts", ["carol", "alice", "Dave", "heidi"]),
        ("-lasts", ["heidi", "Dave", "alice", "carol"]),
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
    found = listed(ROWS, sort=sort, group="none")

    assert [r["account"] for r in found["rows"]] == order
    assert [s.heading for s in found["sections"]] == [None]


def test_each_group_has_its_heading_and_its_rows():
    found = listed(ROWS)["sections"]

    assert [(s.group, s.heading, len(s.rows)) for s in found] == [
        ("usable", "Can be used", 4),
        ("blocked", "Used up", 1),
        ("attention", "Needs you", 2),
        ("unknown", "Not known", 1),
        ("paused", "Paused", 1),
    ]


@pytest.mark.parametrize("args", [{"sort": "x"}, {"show": "x"}, {"view": "x"}, {"sort": "-"}])
def test_nonsense_in_the_address_is_the_default(args):
    asked = listed(ROWS, **args)["asked"]

    assert (asked.sort, asked.backwards, asked.show, asked.view) == ("rank", False, "all", "table")


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
    found = listed(ROWS, show="blocked")

    assert found["total"] == 9
    assert found["groups"] == {"usable": 4, "blocked": 1, "attention": 2, "unknown": 1, "paused": 1}
    hands = advice.hands(ROWS)
    assert [(h.kind, h.row["account"]) for h in hands if h.row] == [
        ("attention", "erin"),
        ("attention", "gina"),
        ("failing", "heidi"),
    ]


def test_a_login_that_is_here_twice_counts_once():
    twin = row("alice again", 88, 60, same_login_as="alice") | {"rank": 2}
    found = listed([ROWS[1], twin])

    assert (found["total"], found["groups"]["usable"], len(found["rows"])) == (1, 1, 2)


def test_of_many_that_need_a_hand_only_their_number_is_said_each_login_once():
    many = [row(f"a{i}", status="expired", group="attention") for i in range(3)]
    twin = row("twin", status="expired", group="attention", same_login_as="a0")

    assert [(h.kind, h.row, h.count) for h in advice.hands([*many, twin])] == [
        ("attention", None, 3)
    ]


def comes_back(*rows):
    waiting = (ribbon.ribbon_row(row, NOW) for row in rows if ribbon.waits(row))
    return ribbon.ribbon(waiting, NOW, list(ribbon.ticks(NOW, UTC)))


def test_a_blocked_account_that_waits_stands_first_in_the_ribbon():
    until = "2026-11-21T20:00:00Z"
    bob = row("bob", 40, 0, blocked=True, group="blocked", blocked_until=until)
    found = comes_back(row("alice", 88, 60), bob)

    assert [one.account for one in found.rows] == ["bob", "alice"]
    assert [(d.start, iso(d.end)) for d in found.rows[0].droughts] == [(NOW, until)]
    assert [(r.account, iso(r.at)) for r in found.agenda if r.ends_block] == [("bob", until)]


def test_a_window_of_any_length_comes_back_and_a_models_does_not():
    odd = {
        "key": "window:3600",
        "label": "1 hour",
        "remaining_percent": 50,
        "used_percent": 50,
        "resets_at": "2026-11-21T12:30:00Z",
        "window_seconds": 3_600,
    }
    model = odd | {"key": "model:x:weekly", "label": "x", "resets_at": "2026-11-21T12:10:00Z"}
    found = comes_back(row("alice", windows=[model, odd]))

    assert [(one.key, iso(one.at)) for one in found.agenda] == [
        ("window:3600", "2026-11-21T12:30:00Z")
    ]


def test_only_windows_in_use_come_back_by_time():
    found = comes_back(row("alice", 88, 60), row("carol", 100, 71))

    assert [(one.account, one.key) for one in found.agenda] == [
        ("alice", "five_hour"),
        ("alice", "weekly"),
        ("carol", "weekly"),
    ]
    assert comes_back(row("alice", 100, 100)).agenda == ()


@pytest.mark.parametrize("group", ["attention", "unknown", "paused"])
def test_nothing_is_promised_of_accounts_that_do_not_come_back_by_themselves(group):
    assert comes_back(row("alice", 10, 10, group=group)).agenda == ()


def test_a_login_that_is_here_twice_comes_back_once():
    assert comes_back(row("twin", 10, 10, same_login_as="alice")).agenda == ()


def test_accounts_with_nothing_but_a_reset_are_folded():
    found = comes_back(row("alice", 88, 60), row("weekly only", None, 30))

    assert [one.account for one in found.rows] == ["alice"]
    assert (found.folded, iso(found.first_folded)) == (1, "2026-11-21T20:00:00Z")


def test_where_there_are_only_resets_these_have_rows():
    found = comes_back(row("alice", None, 40), row("weekly only", None, 30))

    assert [one.account for one in found.rows] == ["alice", "weekly only"]
    assert found.folded == 0


def test_a_full_short_window_of_an_account_that_waits_for_its_week_brings_nothing_back():
    until = "2026-11-21T20:00:00Z"
    bob = row("bob", 40, 0, blocked=True, group="blocked", blocked_until=until)
    found = comes_back(bob)

    assert [(r.key, iso(r.at)) for r in found.rows[0].returns] == [("weekly", until)]
    assert [(one.key, iso(one.at)) for one in found.agenda] == [("weekly", until)]


def test_of_many_accounts_the_first_have_rows_and_the_agenda_says_how_many_are_left_out():
    found = comes_back(*(row(f"a{i:02}", 50, 50) for i in range(60)))

    assert len(found.rows) == ribbon.MOST_ROWS
    assert found.folded == 60 - ribbon.MOST_ROWS
    assert len(found.agenda) + found.later == 120


def said(chance, at, **more):
    entry = {"state": "forecast", "run_out_probability": chance, "pace": None}
    when = {"at": at, "between": [at, at]}
    return entry | {"if_runs_out": when, "remaining_at_reset_percent": 5} | more


def test_what_is_likely_used_up_is_drawn_from_its_middle_moment_and_says_the_chance():
    likely, unlikely = row("bob", None, 42), row("carol", None, 42)
    likely["windows"][0]["forecast"] = said(0.72, "2026-11-21T18:00:00Z")
    unlikely["windows"][0]["forecast"] = said(0.3, "2026-11-21T18:00:00Z")
    found = comes_back(likely, unlikely)

    [drought] = found.rows[0].droughts
    assert (iso(drought.start), iso(drought.end), drought.chance) == (
        "2026-11-21T18:00:00Z",
        "2026-11-21T20:00:00Z",
        "70 %",
    )
    assert [one.account for one in found.rows] == ["bob"]


def test_places_grow_with_time_and_the_first_hours_take_a_third():
    hours = [ribbon.place(NOW + h * 3_600, NOW) for h in (0, 6, 12, 24, 7 * 24, 9 * 24)]

    assert hours == sorted(hours)
    assert (hours[0], hours[1], hours[2], hours[-2], hours[-1]) == (0, 16, 32, 100, 100)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_days_of_the_axis_begin_at_midnight_where_the_viewer_is(zone):
    days = [t.words for t in ribbon.ticks(NOW, ZoneInfo(zone)) if t.is_day]

    assert days[0] == "now"
    assert days[1:] == [
        "Sun 22", "Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Sat 28"
    ]  # fmt: skip


def test_no_accounts_are_no_fault():
    found = listed([])

    assert (found["rows"], found["total"], found["sections"]) == ([], 0, [])
    assert advice.hands([]) == []
    assert (comes_back().rows, comes_back().agenda) == ((), ())
