"""Start of a command, start of the service, and the memory of the idle service, against a plain
script and a bare app.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from bench import processes
from bench.harness import PROJECT, Report, Result, alternate, main
from bench.place import Place, place
from quota_web.services import services


def run(report: Report) -> None:
    _commands(report)
    _service(report)
    _workers(report)
    _script(report)


def _commands(report: Report) -> None:
    with place() as here:
        here.invent(1, 1)
        sides = {
            "classic": partial(
                here.timed,
                [sys.executable, "-m", "bench.classic", str(here.accounts), "http://127.0.0.1:9/"],
            ),
            "status": partial(here.timed, [sys.executable, "-m", "flask", "quota", "status"]),
            "help": partial(
                here.timed, [sys.executable, str(PROJECT / "codex_quota.py"), "--help"]
            ),
        }
        if report.size.name != "smoke":
            for side in sides.values():
                side()  # byte code and page cache
        samples = alternate(sides, report.size.rounds * report.size.pick(1, 2, 3))
    for name, what, wanted in (
        ("status", "flask quota status", "<= 4"),
        ("help", "codex_quota.py --help", "<= 1.5"),
    ):
        report.add(
            Result(
                "13",
                f"start of {what}",
                "times the cost",
                samples[name],
                samples["classic"],
                "plain script without accounts",
                wanted=wanted,
            )
        )


Weighed = tuple[float, float]
GUNICORN = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "8"]


def _service(report: Report) -> None:
    with place() as here:
        here.invent(report.size.pick(1, 20, 20), 1)
        ours: list[Weighed] = []
        bare: list[Weighed] = []
        threads = [*GUNICORN, "--workers", "1"]
        sides: dict[str, Callable[[], float]] = {
            "bare": partial(
                _weigh, bare, here, [*threads, "--config", "/dev/null", "bench.bare:app"], report
            ),
            "ours": partial(_weigh, ours, here, [*threads, "wsgi:app"], report),
        }
        alternate(sides, report.size.pick(1, 5, 5))
    bare_start, bare_memory = [list(x) for x in zip(*bare, strict=True)]
    our_start, our_memory = [list(x) for x in zip(*ours, strict=True)]
    report.add(
        Result(
            "14",
            "memory of the idle service, schedule running (PSS)",
            "times the cost",
            our_memory,
            bare_memory,
            "bare app, same server",
            "MiB",
            "<= 1.5",
        )
    )
    report.add(
        Result(
            "15",
            "start to first answer",
            "times the cost",
            our_start,
            bare_start,
            "bare app, same server",
            "s",
            "<= 2",
        )
    )


def _workers(report: Report) -> None:
    """Three workers that share what was loaded before they were forked."""
    weighed: list[Weighed] = []
    with place(WEB_CONCURRENCY="3") as here:
        here.invent(report.size.pick(1, 20, 20), 1)
        for _ in range(report.size.pick(1, 5, 5)):
            _weigh(weighed, here, [*GUNICORN, "wsgi:app"], report)
    report.add(
        Result(
            "21",
            "memory of the idle service with three workers (PSS)",
            "MiB",
            [memory for _, memory in weighed],
            unit="MiB",
            wanted="<= 110",
        )
    )


def _script(report: Report) -> None:
    """`scripts/run` where everything is set up, beside the service that it ends in."""
    if not _is_set_up():
        print("scripts/run, left out: it would install first (run it once)")
        return
    python = str(PROJECT / ".venv" / "bin" / "python")
    with place() as here:
        with here.app().app_context():
            services().ready()
        by_hand = [python, str(PROJECT / "codex_quota_service.py")]
        sides = {
            "script": partial(_started, here, [str(PROJECT / "scripts" / "run")]),
            "by hand": partial(_started, here, by_hand),
        }
        samples = alternate(sides, report.size.pick(1, 5, 5))
    report.add(
        Result(
            "22",
            "warm scripts/run to the first answer",
            "times the cost",
            samples["script"],
            samples["by hand"],
            "codex_quota_service.py by hand",
            "s",
            "<= 1.25",
        )
    )


def _is_set_up() -> bool:
    """Whether there is nothing to install, which would be measured as a part of the start."""
    asked = 'root=$1; . "$root/scripts/setup.sh"; is_set_up requirements.txt'
    done = subprocess.run(["/bin/sh", "-c", asked, "set-up", str(PROJECT)], check=False)
    return done.returncode == 0


def _started(here: Place, command: Sequence[str]) -> float:
    port = processes.free_port()
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with processes.running([*command, *address], here.environment()) as process:
        return processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")


def _weigh(into: list[Weighed], here: Place, command: Sequence[str], report: Report) -> float:
    """Start a service, and weigh it when it has been idle for a while."""
    port = processes.free_port()
    with processes.running(
        [*command, "--bind", f"127.0.0.1:{port}"], here.environment()
    ) as process:
        started = processes.first_answer(process, f"http://127.0.0.1:{port}/healthz")
        time.sleep(report.size.pick(0, 8, 15))
        into.append((started, processes.megabytes(process.pid)))
    return started


if __name__ == "__main__":
    main("start_up", run)
