"""The commands that say what happened: events, cycles, history."""

import sys
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import click

from quota_web.cli.completion import account_names
from quota_web.core import clock
from quota_web.services import services

as_json = click.option("--json", "form", flag_value="json", help="Print it as JSON.")
as_csv = click.option("--csv", "form", flag_value="csv", help="Print it as CSV.")


def add_to(group: click.Group) -> None:
    """Add the commands of this module."""
    for command in (events, cycles, history):
        group.add_command(command)


@click.command()
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only events of this kind.")
@click.option("--since", metavar="MOMENT", help="Only from then on, such as 2026-11-20.")
@as_json
@as_csv
def events(kinds: tuple[str, ...], since: str | None, form: str | None) -> None:
    """Show resets and what else changed, oldest first."""
    from dataclasses import replace

    from quota_web.core import times
    from quota_web.core.errors import BadInput
    from quota_web.reports import event_log

    present = services()
    present.ready()
    log = event_log.parse_log(present.scope, {}, kinds, ())
    if since is not None:
        try:
            log = replace(log, query=replace(log.query, since=times.parse(since)))
        except (ValueError, OverflowError):
            raise BadInput("since", f"{since}: give a moment such as 2026-11-20") from None
    rows = (event_log.event_json(row, log.names) for row in event_log.every(log))
    if form is not None:
        _print(form, "events", event_log.EVENT_COLUMNS, rows)
        return
    for row in rows:
        words = [str(row["kind"]), row["account"] or "all", row["window"] or ""]
        gone = " (withdrawn)" if row["withdrawn_at"] else ""
        at = times.local(times.parse(row["at"]), present.settings.timezone)
        print(f"{at}  {'  '.join(word for word in words if word)}{gone}")


@click.command()
@click.argument("names", metavar="[ACCOUNT]...", nargs=-1, shell_complete=account_names)
@click.option("--window", "windows", multiple=True, metavar="KEY", help="Only this window.")
@as_json
@as_csv
def cycles(names: tuple[str, ...], windows: tuple[str, ...], form: str | None) -> None:
    """Show how each window was used up to each of its resets, one line a cycle; what runs
    now comes last.
    """
    from quota_web.cli.output import columns_of
    from quota_web.reports import event_log
    from quota_web.reports.history import parse_query

    present = services()
    present.ready()
    asked = parse_query({}, names, windows, clock.now() + 1)
    keys = (asked.windows or ()) if windows else ()
    query = event_log.cycle_query(present.scope, asked.accounts, keys, 0, None)
    rows = event_log.cycles(query)
    if form is not None:
        _print(form, "cycles", event_log.CYCLE_COLUMNS, rows)
        return
    lines: list[tuple[str, ...]] = [
        ("account", "window", "ended", "how", "used%", "peak%", "hours at 0")
    ]
    lines += [_cycle_line(row, present.settings.timezone) for row in rows]
    print("\n".join(columns_of(lines)))


def _cycle_line(row: dict[str, Any], zone: tzinfo | None) -> tuple[str, ...]:
    from quota_web.core import times

    ended, used = row["ended_at"], row["used_at_reset_percent"]
    at_least = "≥" if row["is_lower_bound"] else ""
    return (
        row["account"],
        row["window"],
        times.local(times.parse(ended), zone) if ended else "-",
        row["how"],
        "-" if used is None else f"{at_least}{used:g}",
        f"{row['peak_percent']:g}",
        f"{row['hours_at_zero']:g}",
    )


@click.command()
@click.argument("names", metavar="[ACCOUNT]...", nargs=-1, shell_complete=account_names)
@click.option("--window", "windows", multiple=True, metavar="KEY", help="Only this window.")
@click.option("--range", "span", metavar="RANGE", help="24h, 7d, 30d, 90d or 1y.")
@as_json
@as_csv
def history(
    names: tuple[str, ...], windows: tuple[str, ...], span: str | None, form: str | None
) -> None:
    """Show the readings of a stretch of time, oldest first."""
    from quota_web.reports import raw_history
    from quota_web.reports.history import parse_query

    present = services()
    present.ready()
    asked = parse_query({"range": span} if span else {}, names, windows, clock.now() + 1)
    rows = raw_history.readings(present.scope, asked)
    if form == "json":
        _print("json", "readings", raw_history.COLUMNS, rows)
    else:
        _print("csv", "readings", raw_history.COLUMNS, rows)


def _print(
    form: str,
    name: str,
    columns: Sequence[str],
    rows: Iterable[dict[str, object] | Sequence[object]],
) -> None:
    from quota_web.core import csv_text

    listed = (list(row.values()) if isinstance(row, dict) else row for row in rows)
    if form == "csv":
        for piece in csv_text.lines(columns, listed):
            sys.stdout.write(piece.replace("\r\n", "\n"))
        return
    import orjson

    found = [dict(zip(columns, row, strict=True)) for row in listed]
    print(orjson.dumps({name: found}, option=orjson.OPT_INDENT_2).decode())
