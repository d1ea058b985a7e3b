"""The demo's story lived through: as many messages as there was to tell, also where answers lie."""

import subprocess
import sys

from quota_web.core.checkout import PROJECT

#: What an answer that shows an untouched window must not tell.
STEADY = ("quota.low", "quota.exhausted", "quota.back")


def messages(*options: str) -> dict[tuple[str, str], int]:
    """By type and window, for a channel without a choice."""
    command = [sys.executable, str(PROJECT / "scripts" / "alert_year.py"), "--no-forecasts"]
    ran = subprocess.run(
        [*command, "--accounts", "3", "--days", "90", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.strip("| ").split(" | ") for line in ran.stdout.splitlines()[2:] if "`" in line]
    return {(row[0].strip("`"), row[1]): int(row[2]) for row in rows}


def test_answers_that_lie_tell_no_more_than_there_is_to_tell():
    truth, lied = messages(), messages("--lies", "0.03")

    for (kind, window), count in truth.items():
        if kind in STEADY:
            assert abs(lied[kind, window] - count) <= 0.1 * count, (kind, window)
    assert {kind for kind, _ in lied} - {kind for kind, _ in truth} <= {"quota.reset_early"}
    assert truth["quota.low", "five_hour"] > 20
