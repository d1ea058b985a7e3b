"""CPU of the running service: 50 accounts, each asked every minute, for a while."""

import sys
import time

from bench import processes
from bench.harness import PROJECT, Report, Result, main
from bench.place import place, upstream


def run(report: Report) -> None:
    accounts, seconds = report.size.pick((3, 5), (50, 120), (50, 600))
    port = processes.free_port()
    with (
        upstream() as codex,
        place(
            QUOTA_USAGE_URL=codex.url, QUOTA_REFRESH_INTERVAL="60", QUOTA_ACTIVE_INTERVAL="60"
        ) as here,
    ):
        here.add_accounts(accounts)
        codex.latency(0.2)
        command = [
            sys.executable,
            str(PROJECT / "codex_quota_service.py"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--interval-seconds",
            "60",
        ]
        with processes.running(command, here.environment()) as process:
            processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
            time.sleep(report.size.pick(2, 60, 90))
            codex.counted()
            before, start = processes.processor_seconds(process.pid), time.monotonic()
            time.sleep(seconds)
            spent, took = (
                processes.processor_seconds(process.pid) - before,
                time.monotonic() - start,
            )
            asked = codex.counted()["requests"]
    hour = 3_600 / took
    report.add(
        Result(
            "17",
            f"CPU of the service, {accounts} accounts each minute",
            "s an hour",
            [spent * hour],
            unit="s/h",
            wanted="<= 15",
        )
    )
    report.add(
        Result(
            "17",
            "requests to the upstream meanwhile",
            "a minute",
            [asked * 60 / took],
            unit="requests/min",
        )
    )


if __name__ == "__main__":
    main("steady_state", run)
