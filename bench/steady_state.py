"""CPU of the running service: 50 accounts with a history, each asked every minute, 20 of them in
use, for a while; forecasts, cycles and alerts are part of it.
"""

import sqlite3
import sys
import time
from contextlib import closing

from bench import processes
from bench.harness import PROJECT, Report, Result, main
from bench.place import Place, place, upstream


def run(report: Report) -> None:
    # The rarest of its work comes each quarter of an hour.
    accounts, in_use, seconds = report.size.pick((3, 2, 0.5), (50, 20, 900), (50, 20, 900))
    days, every_s = report.size.pick((1, 3_600), (30, 300), (70, 300))
    pace = {"QUOTA_REFRESH_INTERVAL": "60", "QUOTA_ACTIVE_INTERVAL": "60"}
    with upstream() as codex, place(QUOTA_USAGE_URL=codex.url, **pace) as here:
        here.fill(accounts, days, every_s)
        codex.latency(0.2)
        codex.in_use(in_use)
        port = processes.free_port()
        service = str(PROJECT / "codex_quota_service.py")
        address = ["--host", "127.0.0.1", "--port", str(port), "--interval-seconds", "60"]
        with processes.running([sys.executable, service, *address], here.environment()) as process:
            processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
            # What the upstream says is not what the history ended with: two rounds tell that, and
            # the forecasts follow within five minutes.
            time.sleep(report.size.pick(0.5, 480, 480))
            codex.counted()
            before, start = processes.processor_seconds(process.pid), time.monotonic()
            began_at = int(time.time())
            time.sleep(seconds)
            spent = processes.processor_seconds(process.pid) - before
            took, asked = time.monotonic() - start, codex.counted()["requests"]
            made = _forecasts_since(here, began_at)
    what = f"CPU of the service, {accounts} accounts each minute, {in_use} in use"
    hour = [spent * 3_600 / took]
    report.add(Result("17", what, "s an hour", hour, unit="s/h", wanted="<= 15"))
    for what, count, unit in (
        ("requests to the upstream meanwhile", asked * 60 / took, "requests/min"),
        ("windows whose forecast was made meanwhile", made, "windows"),
    ):
        report.add(Result("17", what, unit, [count], unit=unit))


def _forecasts_since(here: Place, at: int) -> int:
    with closing(sqlite3.connect(here.database)) as conn:
        asked = "SELECT count(DISTINCT window_id) FROM forecast WHERE made_at >= ?"
        count: int = conn.execute(asked, (at,)).fetchone()[0]
    return count


if __name__ == "__main__":
    main("steady_state", run)
