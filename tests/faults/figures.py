"""How the fault suite notes what it found: a small JSON file a figure, which scripts/reliability.py
gathers into docs/reliability.md.

    def test_torn_logs(figures):
        figures.record("torn write-ahead logs opened", of=2_000, bad=0, bad_is="not an exact prefix
        of what was committed")

QUOTA_FAULT_RUNS=many does everything as often as our published figures say, which takes hours;
QUOTA_FAULT_RUNS=10 ten times as often as CI.
"""

import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from quota_web.core.checkout import PROJECT

#: What QUOTA_FAULT_RUNS says for the large counts.
MANY = "many"
RESULTS = Path(__file__).resolve().parent / "results"


def runs(base: int, many: int) -> int:
    """How often to do something that CI does *base* times, and *many* times where all is to be
    published.
    """
    return many if asked() == MANY else base * int(asked())


def asked() -> str:
    return os.environ.get("QUOTA_FAULT_RUNS") or "1"


class Figures:
    """Notes the figures of one test."""

    def __init__(self, test: str) -> None:
        self._test = test
        self._started = time.monotonic()

    def record(
        self, what: str, *, of: int, bad: int, bad_is: str, **more: int | float | str
    ) -> None:
        """*what* was done *of* times, and of these *bad* went wrong in the way that *bad_is* says;
        then the test fails.
        """
        RESULTS.mkdir(exist_ok=True)
        figure = {
            "what": what,
            "of": of,
            "bad": bad,
            "bad_is": bad_is,
            "more": more,
            "seconds": round(time.monotonic() - self._started, 1),
            "command": (
                f"{'' if asked() == '1' else f'QUOTA_FAULT_RUNS={asked()} '}python -m "
                f"pytest -m faults {self._test}"
            ),
            "commit": commit(),
            "machine": machine(),
        }
        name = re.sub(r"\W+", "-", what).strip("-")
        (RESULTS / f"{name}.json").write_text(
            json.dumps(figure, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        print(
            f"{what}: {of:,}; {bad_is}: {bad:,}"
            + "".join(f"; {name}: {value}" for name, value in more.items())
        )
        assert of > 0, f"{what}: nothing was tried"
        assert bad == 0, f"{what}: {bad} of {of} {bad_is}"


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
