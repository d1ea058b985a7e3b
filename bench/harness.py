"""What every benchmark shares: sizes, alternating the sides, medians and spreads, the table, and
the JSON.

Absolute times wander with the machine, so what counts are ratios of two sides that took turns in
one run.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "bench" / "results"


@dataclass(frozen=True)
class Size:
    """How big a run is: `smoke` only shows that it runs, `default` takes a few minutes for all,
    `full` has the goals' sizes.
    """

    name: str
    rounds: int

    def pick(self, smoke: Any, default: Any, full: Any) -> Any:
        return {"smoke": smoke, "default": default, "full": full}[self.name]


SIZES = {"smoke": Size("smoke", 1), "default": Size("default", 5), "full": Size("full", 5)}


@dataclass
class Result:
    """One comparison, or one figure by itself."""

    goal: str
    what: str
    #: `times faster`: other / ours; `times the cost`: ours / other; else the unit of ours, which is
    #: then taken by itself.
    kind: str
    ours: list[float]
    other: list[float] = field(default_factory=list)
    #: What the other side is, in a few words.
    other_is: str = ""
    unit: str = "s"
    #: What the goal asks for: `>= 12` or `<= 1.5`; empty where this only informs.
    wanted: str = ""

    @property
    def value(self) -> float:
        ours = statistics.median(self.ours)
        if not self.other:
            return ours
        other = statistics.median(self.other)
        return other / ours if self.kind == "times faster" else ours / other

    @property
    def is_reached(self) -> bool | None:
        if not self.wanted:
            return None
        sign, bound = self.wanted.split()
        return self.value >= float(bound) if sign == ">=" else self.value <= float(bound)


@dataclass
class Curve:
    """How a cost grows: lines of (x, y) for a plot."""

    name: str
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass
class Report:
    """What one group came to."""

    group: str
    size: Size
    results: list[Result] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def add(self, result: Result) -> None:
        if self.size.name == "smoke":
            # Tiny sizes measure nothing that a goal could be held against.
            result.wanted = ""
        self.results.append(result)
        print(line(result), flush=True)

    def document(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "size": self.size.name,
            "commit": commit(),
            "taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "machine": machine(),
            "results": [
                asdict(r) | {"value": r.value, "reached": r.is_reached} for r in self.results
            ],
            "curves": [asdict(c) for c in self.curves],
        }


def main(
    group: str, run: Callable[[Report], None], missing: Callable[[], str] = lambda: ""
) -> None:
    """Run one group as a program: `python -m bench.<group> [--full | --smoke] [--out FOLDER]`.

    What is *missing* on this machine is said instead, and nothing is written.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{group}", description=(sys.modules["__main__"].__doc__ or "").strip()
    )
    parser.add_argument(
        "--full",
        action="store_const",
        dest="size",
        const="full",
        default="default",
        help="the sizes of the goals; takes long",
    )
    parser.add_argument(
        "--smoke",
        action="store_const",
        dest="size",
        const="smoke",
        help="tiny sizes, to see that it runs",
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder for the JSON (default: bench/results)"
    )
    options = parser.parse_args()
    if lacks := missing():
        print(f"{group}, left out: {lacks}")
        return
    report = Report(group, SIZES[options.size])
    print(f"{group}, {options.size} size, {describe(machine())}", flush=True)
    run(report)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{group}.json"
    file.write_text(json.dumps(report.document(), indent=1) + "\n", encoding="utf-8")
    print(f"written: {file}")


def alternate(
    sides: Mapping[str, Callable[[], float]], rounds: int, *, once: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Let the sides take turns *rounds* times; each call answers its own measurement.

    Those of *once* have one turn only.
    """
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name, side in sides.items():
            if turn == 0 or name not in once:
                samples[name].append(side())
    return samples


def spread(samples: Sequence[float]) -> str:
    """Lowest to highest as a share of the median."""
    middle = statistics.median(samples)
    if len(samples) < 2 or not middle:
        return "once" if len(samples) < 2 else "±0 %"
    return f"±{(max(samples) - min(samples)) / 2 / middle * 100:.0f} %"


def line(result: Result) -> str:
    """One result as a line of the table on the terminal."""
    ours = f"{amount(statistics.median(result.ours))} {result.unit} ({spread(result.ours)})"
    other = (
        f"{amount(statistics.median(result.other))} {result.unit} ({spread(result.other)}) "
        f"{result.other_is}"
        if result.other
        else "-"
    )
    verdict = {None: "", True: f"reached, {result.wanted}", False: f"NOT REACHED, {result.wanted}"}[
        result.is_reached
    ]
    kind = result.kind if result.other else result.unit
    return (
        f"{result.goal:>4}  {result.what:<52} {amount(result.value):>7} {kind:<14} {ours:<24} "
        f"{other:<40} {verdict}"
    )


def amount(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def commit() -> str:
    """The commit that was measured; with `+` where the checkout had other changes."""
    head = _git("rev-parse", "--short=10", "HEAD") or "unknown"
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        return ""


def machine() -> dict[str, Any]:
    """What it ran on, as far as that changes the numbers."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 2),
    }


def describe(found: Mapping[str, Any]) -> str:
    return (
        f"{found['processor']}, {found['cores']} cores, {found['memory_mib']:,} MiB, "
        f"{found['system']}, "
        f"Python {found['python']}, SQLite {found['sqlite']}, load {found['load']}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(
                (one.split(":", 1)[1].strip() for one in lines if one.startswith("model name")),
                platform.machine(),
            )
    except OSError:
        return platform.processor() or platform.machine()
