"""What other tools take beside ours, each idle and by itself:

    BENCH_PEERS='NAME VERSION=COMMAND; …' python -m bench.peers

None of them is a part of this project: whoever wants the comparison installs one elsewhere and
names its command, in which {port} and {folder} are filled in. It gets an empty home and proxy
settings that lead nowhere. Ours holds 20 made-up accounts with a day of history; it is the
service that `scripts/run` ends in.
"""

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

from bench import processes
from bench.harness import PROJECT, Report, Result, alternate, main
from bench.place import Place, place

#: Start in seconds, MiB, and CPU seconds an hour.
Weighed = tuple[float, float, float]
DEAD_END = "http://127.0.0.1:9"
OURS = f"{sys.executable} {PROJECT / 'codex_quota_service.py'} --host 127.0.0.1 --port {{port}}"


def missing() -> str:
    return "" if _peers() else "BENCH_PEERS names no other tool"


def run(report: Report) -> None:
    peers = _peers()
    commands = {"ours": OURS, **peers}
    weighed: dict[str, list[Weighed]] = {name: [] for name in commands}
    with place() as here:
        here.invent(report.size.pick(1, 20, 20), 1)
        sides: dict[str, Callable[[], float]] = {
            name: partial(_weigh, weighed[name], here, command, report)
            for name, command in commands.items()
        }
        alternate(sides, report.size.pick(1, 3, 5))
    our_start, our_memory, our_work = [list(x) for x in zip(*weighed["ours"], strict=True)]
    report.add(_work("ours", our_work))
    for name in peers:
        start, memory, work = [list(x) for x in zip(*weighed[name], strict=True)]
        for goal, what, ours, other, unit in (
            ("15", "start to first answer", our_start, start, "s"),
            ("14", "memory of the idle service (PSS)", our_memory, memory, "MiB"),
        ):
            report.add(Result(goal, what, "times the cost", ours, other, name, unit))
        report.add(_work(name, work))


def _work(name: str, samples: list[float]) -> Result:
    """By itself: of nothing there is no ratio."""
    return Result("17", f"CPU of the idle service, {name}", "s/h", samples, unit="s/h")


def _peers() -> dict[str, str]:
    """The commands by name."""
    given = [one.strip() for one in os.environ.get("BENCH_PEERS", "").split(";")]
    named = (one.partition("=") for one in given if one)
    return {name.strip(): command.strip() for name, _, command in named}


def _weigh(into: list[Weighed], here: Place, command: str, report: Report) -> float:
    port = processes.free_port()
    away = {"HTTP_PROXY": DEAD_END, "HTTPS_PROXY": DEAD_END, "NO_PROXY": "127.0.0.1,localhost"}
    with (
        tempfile.TemporaryDirectory(dir=here.root) as folder,
        processes.running(
            [part.format(port=port, folder=folder) for part in shlex.split(command)],
            here.environment(HOME=folder, **away),
        ) as process,
    ):
        started = processes.first_answer(process, f"http://127.0.0.1:{port}/")
        time.sleep(report.size.pick(0, 15, 30))
        before, since = processes.processor_seconds(process.pid), time.monotonic()
        time.sleep(report.size.pick(0.1, 30, 60))
        used = processes.processor_seconds(process.pid) - before
        hourly = used * 3600 / (time.monotonic() - since)
        into.append((started, processes.megabytes(process.pid), hourly))
    return started


if __name__ == "__main__":
    main("peers", run, missing)
