"""The benchmarks run, at a size that measures nothing, and write what the report reads.

Nothing is asserted about time.
"""

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import browser, harness, plot, report
from bench.harness import Report, Result, Size
from quota_web.core.checkout import PROJECT
from tests import parts

GROUPS = (
    "refresh",
    "store",
    "queries",
    "web",
    "start_up",
    "page_weight",
    "steady_state",
    "load",
    "browser",
    "forecast",
    "alerts",
    "event_log",
)
#: Has loaded the app, and runs each group it is given as `python -m bench.GROUP` does, in a fork
#: of its own: many groups take less time than loading the app. Says how each one ended.
LOADED = """
import json, os, runpy, sys
import bench.place
for line in sys.stdin:
    group, said, arguments = json.loads(line)
    child = os.fork()
    if not child:
        out = os.open(said, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0), os.dup2(out, 1), os.dup2(out, 2)
        sys.argv = [group, *arguments]
        runpy.run_module(group, run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def run_group() -> Iterator[Callable[[str, Path], tuple[int, str]]]:
    """Runs a group at its smallest size; its exit code and what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", LOADED],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None

        def run(group: str, out: Path) -> tuple[int, str]:
            said = out / "said"
            arguments = ["--smoke", "--out", str(out)]
            asked.write(json.dumps([f"bench.{group}", str(said), arguments]) + "\n")
            asked.flush()
            code = answered.readline()
            return int(code), said.read_text()

        try:
            yield run
        finally:
            # With a group that did not end in time.
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_runs_and_writes_json(group, run_group, tmp_path):
    if group == "browser" and (lacks := browser.missing()):
        parts.lack(lacks)
    code, said = run_group(group, tmp_path)

    assert code == 0, said
    document = json.loads((tmp_path / f"{group}.json").read_text())
    assert (document["group"], document["size"]) == (group, "smoke")
    assert {"commit", "taken_at", "machine", "results", "curves"} <= set(document)
    assert document["results"]
    for result in document["results"]:
        assert result["ours"]
        assert all(isinstance(sample, float | int) for sample in result["ours"] + result["other"])
        assert result["reached"] is None, "a tiny size is held against no goal"
    assert report.markdown([document]).count("\n| ") == len(document["results"]) + 1


def test_other_tools_are_measured_by_their_commands(tmp_path):
    other = f"a folder over HTTP={sys.executable} -m http.server --bind 127.0.0.1 {{port}}"
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers", "--smoke", "--out", str(tmp_path)],
        env={**os.environ, "BENCH_PEERS": other},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "peers.json").read_text())["results"]
    assert [(r["goal"], r["other_is"]) for r in results] == [
        ("17", ""),
        ("15", "a folder over HTTP"),
        ("14", "a folder over HTTP"),
        ("17", ""),
    ]


def test_every_group_is_in_the_script_and_the_readme():
    script, readme = (
        (PROJECT / "scripts" / "bench").read_text(),
        (PROJECT / "bench" / "README.md").read_text(),
    )

    assert f"for group in {' '.join(GROUPS)};" in script
    assert ", ".join(GROUPS) in readme


@pytest.mark.parametrize(
    ("kind", "ours", "other", "wanted", "value", "reached"),
    [
        ("times faster", [1.0, 2.0, 9.0], [20.0, 24.0, 90.0], ">= 12", 12, True),
        ("times the cost", [3.0], [2.0], "<= 1.4", 1.5, False),
        ("bytes", [20.6], [], "<= 26", 20.6, True),
        ("bytes", [20.6], [], "", 20.6, None),
    ],
)
def test_ratios_are_of_medians_and_held_against_their_goal(
    kind, ours, other, wanted, value, reached
):
    result = Result("1", "something", kind, ours, other, wanted=wanted)

    assert (result.value, result.is_reached) == (value, reached)


def test_sides_take_turns():
    turns: list[str] = []

    def turn(name: str, value: float) -> float:
        turns.append(name)
        return value

    samples = harness.alternate(
        {"a": lambda: turn("a", 1.0), "b": lambda: turn("b", 2.0)}, 3, once=("b",)
    )

    assert turns == ["a", "b", "a", "a"]
    assert samples == {"a": [1.0, 1.0, 1.0], "b": [2.0]}


def test_a_plot_is_well_formed_and_names_its_lines():
    root = ET.fromstring(
        plot.svg(
            "Title & more",
            "readings",
            "ms",
            {"ours": [(1e5, 0.5), (2.1e7, 0.6)], "raw": [(1e5, 3), (2.1e7, 0)], "none": []},
        )
    )
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}

    assert {"Title & more", "readings", "ms", "ours", "raw", "100 k", "100 M"} <= texts


def test_the_report_only_writes_between_its_marks(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    made = Report("web", Size("default", 5))
    made.add(Result("10", "what", "of hello's rate", [1.0], [2.0], "hello", wanted=">= 0.3"))
    made.curves.append(harness.Curve("web", "Title", "x", "y", {"a": [(1, 2)]}))
    (tmp_path / "web.json").write_text(json.dumps(made.document()))
    monkeypatch.setattr(report, "README", tmp_path / "README.md")
    monkeypatch.setattr(report, "PLOTS", tmp_path / "plots")
    monkeypatch.setattr(sys, "argv", ["bench.report", "--results", str(tmp_path)])
    report.main()
    text = (tmp_path / "README.md").read_text()

    assert text.startswith(f"before\n{report.BEGIN}\n\n| goal |")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    assert (tmp_path / "plots" / "web.svg").exists()
