"""What commands print, to the byte: the table, one line of everything, fault lines, columns, and
the exit status.
"""

import signal
import subprocess
import sys
import threading
from zoneinfo import ZoneInfo

import pytest

from quota_web.cli import output
from quota_web.core import checkout, quota
from quota_web.core.faults import FAULTS, Fault
from quota_web.core.quota import Block, Reading, Status
from quota_web.reports.overview import AccountView
from quota_web.store.accounts import Account
from tests.fakes import NOW

CST = ZoneInfo("Asia/Shanghai")
FIELDS = dict.fromkeys(Account.__slots__)


def report(
    name,
    five_hour=None,
    weekly=None,
    *,
    resets_at=NOW + 300_000,
    source="network",
    status=Status.OK,
    block=quota.NOT_BLOCKED,
):
    account = Account(
        **{
            **FIELDS,
            "id": 1,
            "name": name,
            "origin": "managed",
            "created_at": NOW,
            "last_status": status,
            "failures": 0,
        }
    )
    readings = (
        [Reading(quota.FIVE_HOUR, 100 - five_hour, NOW + 7_200, 18_000)]
        if five_hour is not None
        else []
    )
    readings += (
        [Reading(quota.WEEKLY, 100 - weekly, resets_at, 604_800)] if weekly is not None else []
    )
    return AccountView(account, account.status, None, source, None, tuple(readings), block, False)


def test_the_table_is_the_classic_one():
    lines = output.table(
        [report("alice", 88, 60), report("bob", None, 0, resets_at=NOW + 140_400, source="cache")],
        CST,
    )

    assert lines == [
        "account  five_hour%  weekly%  weekly_reset             source",
        "alice            88       60  2026-11-25 07:20:00 CST  network",
        "bob               -        0  2026-11-23 11:00:00 CST  cache",
    ]


def test_an_empty_table_is_its_header():
    assert output.table([], CST) == [
        "account  five_hour%  weekly%  weekly_reset             source"
    ]


def test_columns_are_as_wide_as_what_stands_in_them():
    lines = output.table(
        [
            report("a name of thirty characters  x", 87.5, 33.3333),
            report("团队", None, None, source=None),
        ],
        CST,
    )

    assert lines == [
        "account                         five_hour%  weekly%  weekly_reset             source",
        "a name of thirty characters  x        87.5  33.3333  2026-11-25 07:20:00 CST  network",
        "团队                                     -        -  -                        -",
    ]


def test_a_weekly_window_without_a_reset_has_a_dash():
    assert (
        output.table([report("a", 1, 2, resets_at=None)], CST)[1]
        == "a                 1        2  -                        network"
    )


@pytest.mark.parametrize(
    ("left", "shown"),
    [(100, "100"), (0, "0"), (0.5, "0.5"), (1 / 3, "0.333333"), (99.99999, "100"), (1e-7, "1e-07")],
)
def test_numbers_are_written_as_short_as_they_are(left, shown):
    assert output.table([report("a", left, 50)], CST)[1].split()[1] == shown


def test_everything_fits_on_one_line():
    found = output.oneline(
        [report("alice", 88, 60), report("bob", None, 0, block=Block(True, NOW + 3 * 3_600))],
        NOW,
        CST,
    )

    assert found == "alice 88%/60% · bob -/0% until 23:00"


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (report("a", 0, 60, block=Block(True, NOW + 86_400)), "a 0%/60% until Sun 20:00"),
        (report("a", 0, 60, block=Block(True)), "a 0%/60% blocked"),
        (report("a", 12.5, None), "a 12.5%/-"),
        (report("a", 88, 60, status=Status.EXPIRED, block=Block(True)), "a 88%/60% expired"),
        (report("a", status=Status.PENDING), "a -/- pending"),
    ],
)
def test_one_line_says_why_an_account_cannot_be_used(shown, line):
    assert output.oneline([shown], NOW, CST) == line


def test_one_line_of_no_account_is_empty():
    assert output.oneline([], NOW, CST) == ""


STATUSES = {
    Status.INVALID_CREDENTIALS: 1,
    Status.EXPIRED: 3,
    Status.DEACTIVATED: 3,
    Status.FORBIDDEN: 3,
    Status.ADDRESS_BLOCKED: 3,
    Status.RATE_LIMITED: 3,
    Status.UPSTREAM_ERROR: 3,
    Status.UNREACHABLE: 2,
    Status.BAD_RESPONSE: 3,
}


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_has_its_exit_status(code):
    assert output.exit_status(Fault(code)) == (
        1 if code in ("token_expired", "renewing") else STATUSES[FAULTS[code][0]]
    )


def test_no_fault_is_all_well():
    assert output.exit_status(None) == 0


def test_small_lists_are_aligned_without_trailing_blanks():
    assert output.columns_of([("a", "bb", "c"), ("团队", "b", ""), ("e\u0301", "", "x")]) == [
        "a     bb  c",
        "团队  b",
        "e\u0301         x",
    ]


@pytest.mark.parametrize(
    ("number", "ending", "code"),
    [
        (signal.SIGTERM, SystemExit, 143),
        (signal.SIGHUP, SystemExit, 129),
        (signal.SIGINT, KeyboardInterrupt, None),
    ],
)
def test_a_signal_ends_what_is_under_way_when_it_is_whole(number, ending, code):
    before, stopped, done = signal.getsignal(number), threading.Event(), []

    def work() -> None:
        with output.ended_by_signals(stopped.set):
            signal.raise_signal(number)
            assert stopped.wait(30)
            done.append("committed")

    with pytest.raises(ending) as ended:
        work()
    assert (done, getattr(ended.value, "code", None)) == (["committed"], code)
    assert signal.getsignal(number) == before


def test_a_second_signal_ends_at_once():
    def work() -> None:
        with output.ended_by_signals(lambda: None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("went on")

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 143


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_character_gets_its_number(encoding):
    program = (
        "from quota_web.cli import output; output.escape_unprintable(); print('团 \\udcff'); "
        "output.print_error('团')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": encoding, "PYTHONPATH": str(checkout.PROJECT)},
        capture_output=True,
    )

    shown = "团" if encoding == "utf-8" else r"\u56e2"
    assert (ran.stdout.decode(), ran.stderr.decode(), ran.returncode) == (
        f"{shown} \\udcff\n",
        f"{shown}\n",
        0,
    )
