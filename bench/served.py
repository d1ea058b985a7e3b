"""The service as it is deployed, under gunicorn, and what its pages take over HTTP on the database
that lies in a place already.
"""

import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlencode

import requests

from bench import processes
from bench.harness import Report, Result, alternate
from bench.place import Place
from bench.web import PASSWORD
from quota_web import store
from quota_web.core import clock
from quota_web.reports.history import RANGES

#: As the page asks: so many points at the most, and of many accounts the lines of the first ones.
POINTS = 600
ALL_UP_TO, FIRST = 12, 6


@contextmanager
def served(here: Place) -> Iterator[str]:
    """The address of one worker with its threads and its schedule, which sends nothing: the place
    holds demo accounts.
    """
    port = processes.free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    with processes.running(command, here.environment(QUOTA_PASSWORD=PASSWORD)) as process:
        processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"


def pages(report: Report, here: Place, readings: float) -> None:
    """The 95th of a hundred requests to the dashboard and to each range of its charts, from another
    process, one at a time.

    Before a "changed" one the data has a new version, as after every refresh: nothing that was kept
    of it may be answered.
    """
    times = report.size.pick(3, 40, 100)
    with served(here) as base, requests.Session() as browser:
        sign_in(browser, base)
        all_names = [
            r["account"] for r in browser.get(f"{base}/api/results", timeout=60).json()["results"]
        ]
        drawn = all_names if len(all_names) <= ALL_UP_TO else all_names[:FIRST]
        asked = {"GET /": "/"} | {
            f"chart of {name}, {len(drawn) * 2} lines": _history(name, drawn) for name in RANGES
        }
        sides = {
            f"{what}, {'data changed' if is_changed else 'unchanged'}": partial(
                _slowest, browser, base + path, times, is_changed
            )
            for what, path in asked.items()
            for is_changed in (True, False)
        }
        if all_names != drawn:
            more = {
                f"chart of {name}, {len(all_names) * 2} lines": base + _history(name, all_names)
                for name in RANGES
            }
            sides |= {
                what: partial(_slowest, browser, url, times, True) for what, url in more.items()
            }
        for what, samples in alternate(sides, report.size.rounds).items():
            report.add(
                Result(
                    "18",
                    f"p95 over HTTP, {readings / 1e6:.3g} M readings: {what}",
                    "ms",
                    samples,
                    unit="ms",
                    wanted="<= 100",
                )
            )


def sign_in(browser: requests.Session, base: str) -> None:
    page = browser.get(f"{base}/login", timeout=60).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page[:500]
    form = {"password": PASSWORD, "csrf_token": found.group(1), "next": ""}
    answer = browser.post(
        f"{base}/login", data=form, headers={"Origin": base}, allow_redirects=False, timeout=60
    )
    assert answer.status_code == 303, answer.status_code


def _history(name: str, accounts: Sequence[str]) -> str:
    asked = [
        ("points", str(POINTS)),
        ("range", name),
        ("window", "five_hour"),
        ("window", "weekly"),
        *(("account", a) for a in accounts),
    ]
    return f"/api/history?{urlencode(asked)}"


def _slowest(browser: requests.Session, url: str, times: int, is_changed: bool) -> float:
    """The 95th percentile of *times* requests, in milliseconds."""
    took = []
    for _ in range(times):
        if is_changed:
            with store.database.transaction() as tx:
                store.site_state.bump_version(tx, clock.now())
        start = time.perf_counter()
        answer = browser.get(url, timeout=60)
        took.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 200, (url, answer.status_code)
    return p95(took)


def p95(samples: Sequence[float]) -> float:
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]
