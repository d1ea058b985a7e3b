"""Write the table of docs/reliability.md from what the fault suite found.

    QUOTA_FAULTS=1 python -m pytest -m faults tests/faults
    python scripts/reliability.py [--check]

Each test of the suite leaves its figure in tests/faults/results. This gathers them into
docs/reliability.json, keeps there what was not run this time, and puts the table into the page.
With --check it only says whether the page has the table of the JSON. Needs nothing but Python.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "tests" / "faults" / "results"
FIGURES = PROJECT / "docs" / "reliability.json"
PAGE = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Write the table of docs/reliability.md from what the fault suite found."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only say whether the page has the table of docs/reliability.json",
    )
    options = parser.parse_args(arguments)
    figures = kept() if options.check else gathered()
    page = with_table(PAGE.read_text(encoding="utf-8"), table(figures))
    if options.check:
        is_right = page == PAGE.read_text(encoding="utf-8")
        print(
            "reliability: the page is up to date"
            if is_right
            else "reliability: run python scripts/reliability.py"
        )
        return 0 if is_right else 1
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")
    print(
        f"reliability: {len(figures)} figures in {FIGURES.relative_to(PROJECT)} and "
        f"{PAGE.relative_to(PROJECT)}"
    )
    return 0


def kept() -> list[dict[str, Any]]:
    """The figures of earlier runs."""
    figures: list[dict[str, Any]] = (
        json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else []
    )
    return figures


def gathered() -> list[dict[str, Any]]:
    """Those, replaced by what was found since."""
    by_what = {figure["what"]: figure for figure in kept()}
    for file in sorted(RESULTS.glob("*.json")):
        figure = json.loads(file.read_text(encoding="utf-8"))
        by_what[figure["what"]] = figure
    return [by_what[what] for what in sorted(by_what)]


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as a table with the command for each line, and under it where they were found."""
    lines = [
        "| what was done | how often | of these | besides | took | found by |",
        "|---|---:|---|---|---:|---|",
    ]
    for figure in figures:
        more = ", ".join(
            f"{name.replace('_', ' ')}: {said(value)}" for name, value in figure["more"].items()
        )
        bad = f"**{figure['bad']:,}** {figure['bad_is']}"
        lines.append(
            f"| {figure['what']} | {figure['of']:,} | {bad} | {more} | {figure['seconds']:g} s | "
            f"`{figure['command']}` |"
        )
    places = sorted({(figure["commit"], figure["machine"]) for figure in figures})
    return "\n".join(
        [*lines, "", *(f"Found at commit `{commit}` on: {machine}." for commit, machine in places)]
    )


def said(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def with_table(page: str, made: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"reliability: {PAGE} has no place for the table ({BEGIN} … {END})")
    return f"{before}{begin}\n{made}\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
