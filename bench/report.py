"""Writes the table of bench/README.md and the plots from the JSON of the last runs: `python -m
bench.report`.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import plot
from bench.harness import PROJECT, RESULTS, amount, describe, spread

README = PROJECT / "bench" / "README.md"
PLOTS = PROJECT / "bench" / "plots"
BEGIN, END = "<!-- results: written by python -m bench.report -->", "<!-- end of results -->"

Document = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="folder with the JSON (default: bench/results)",
    )
    options = parser.parse_args()
    documents = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(options.results.glob("*.json"))
    ]
    PLOTS.mkdir(exist_ok=True)
    for curve in (c for d in documents for c in d["curves"]):
        (PLOTS / f"{curve['name']}.svg").write_text(
            plot.svg(curve["title"], curve["x"], curve["y"], curve["lines"]), encoding="utf-8"
        )
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{markdown(documents)}\n\n{END}{after}", encoding="utf-8")
    print(f"written: {README} and {len(list(PLOTS.glob('*.svg')))} plots")


def markdown(documents: Sequence[Document]) -> str:
    """The table of all results by goal, where they were measured, and the plots."""
    rows = sorted(
        (_row(d, r) for d in documents for r in d["results"]), key=lambda row: int(row[0])
    )
    head = ("goal", "what", "ratio or figure", "goal asks", "", "ours", "compared with", "run")
    table = [head, ("---",) * len(head), *rows]
    lines = [f"| {' | '.join(row)} |" for row in table]
    runs = [
        (
            f"- {d['group']}: {d['size']} size, commit {d['commit']}, {d['taken_at']}, "
            f"{describe(d['machine'])}"
        )
        for d in documents
    ]
    pictures = [f"![{c['title']}](plots/{c['name']}.svg)" for d in documents for c in d["curves"]]
    return "\n".join([*lines, "", "Where and when:", "", *runs, "", *_spaced(pictures)]).rstrip()


def _row(document: Document, result: Mapping[str, Any]) -> tuple[str, ...]:
    ours = (
        f"{amount(statistics.median(result['ours']))} {result['unit']} ({spread(result['ours'])})"
    )
    other = ""
    if result["other"]:
        other = (
            f"{result['other_is']}: {amount(statistics.median(result['other']))} "
            f"{result['unit']} ({spread(result['other'])})"
        )
    kind = result["kind"] if result["other"] else result["unit"]
    wanted = result["wanted"].replace(">=", "≥").replace("<=", "≤")
    verdict = {None: "", True: "reached", False: "**not reached**"}[result["reached"]]
    return (
        result["goal"],
        result["what"],
        f"{amount(result['value'])} {kind}",
        wanted,
        verdict,
        ours if result["other"] else spread(result["ours"]),
        other,
        document["group"],
    )


def _spaced(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield line
        yield ""


if __name__ == "__main__":
    main()
