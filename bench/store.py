"""How many bytes a reading takes, with rollups, attempts and all indexes: ours, an ORM-like table,
rows of JSON.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import Curve, Report, Result, main
from bench.place import Place, place
from quota_web import store
from quota_web.core import clock
from quota_web.demo import fill, generate
from quota_web.demo.generate import Era, Invented
from quota_web.demo.personas import PLAIN
from quota_web.services import services

DAY = 86_400
ACCOUNTS = 20
#: Two windows, a reading a minute.
A_DAY = 2 * 1_440

ORM_TABLE = """
CREATE TABLE snapshots (
    id INTEGER NOT NULL PRIMARY KEY, account_id INTEGER NOT NULL,
    account_name VARCHAR(80) NOT NULL, window VARCHAR(40) NOT NULL,
    used_percent FLOAT, remaining_percent FLOAT, resets_at DATETIME, taken_at DATETIME NOT NULL
);
CREATE INDEX ix_snapshots_account_id_taken_at ON snapshots (account_id, taken_at);
"""
JSON_TABLE = """
CREATE TABLE snapshots (
    id INTEGER NOT NULL PRIMARY KEY, account_id INTEGER NOT NULL, taken_at DATETIME NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX ix_snapshots_account_id_taken_at ON snapshots (account_id, taken_at);
"""


def run(report: Report) -> None:
    minutes = report.size.pick(30, 5_000, 5_000)
    ours = _as_it_comes(minutes)
    stories = list(_stories(minutes))
    for table, write, name in (
        (ORM_TABLE, _orm_rows, "ORM-like table"),
        (JSON_TABLE, _json_rows, "rows of JSON"),
    ):
        other = _plain_table(table, write, stories)
        what = f"bytes a reading, {ACCOUNTS} accounts × 2 windows × {minutes:,} minutes"
        report.add(
            Result("6", what, "times smaller", [other], [ours], f"ours beside {name}", "bytes")
        )
    report.add(
        Result(
            "6",
            "bytes a reading, as the schedule writes them",
            "bytes",
            [ours],
            unit="bytes",
            wanted="<= 26",
        )
    )
    _growth(report)


def _stories(minutes: int) -> Iterator[Invented]:
    now = clock.now()
    for number in range(ACCOUNTS):
        yield generate.invent(number, Era(now - minutes * 60, now, every_s=60), persona=PLAIN)


def _as_it_comes(minutes: int) -> float:
    """Bytes a reading where every minute brings one of each window: the pages fill as they do in
    life, not as a bulk load fills them.
    """
    with place() as here, here.app().app_context():
        services().ready()
        written = _write_in_order(list(_stories(minutes)))
        return _bytes(here) / written


def _write_in_order(stories: list[Invented]) -> int:
    with store.database.transaction() as tx:
        # Accounts, windows, facts and attempts as they would be; the series follow minute by
        # minute.
        for story in stories:
            fill.write(tx, story)
        tx.exec_driver_sql("DELETE FROM reading")
        tx.exec_driver_sql("DELETE FROM rollup")
    tracks = [track for story in stories for track in story.tracks]
    written = 0
    for minute in range(max(len(t.at) for t in tracks)):
        readings, rolled = [], []
        for window_id, track in enumerate(tracks, 1):
            if minute < len(track.at):
                at, used, resets_at = (
                    track.at[minute],
                    track.used[minute] or 0.0,
                    track.resets_at[minute],
                )
                readings.append(
                    {
                        "window_id": window_id,
                        "taken_at": at,
                        "used_percent": used,
                        "resets_at": resets_at,
                        "flags": 0,
                    }
                )
                rolled += [
                    store.rollups.rollup_row(span, window_id, at, used, resets_at, 0.0)
                    for span in store.rollups.SPANS
                ]
        with store.database.transaction() as tx:
            store.rollups.write(tx, readings, rolled, [])
        written += len(readings)
    return written


def _bytes(here: Place) -> int:
    """What the pages in use take, the log folded in."""
    with sqlite3.connect(here.database) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    conn.close()
    return int((pages - free) * size)


Writer = Callable[[sqlite3.Connection, int, Invented], int]


def _plain_table(table: str, write: Writer, stories: list[Invented]) -> float:
    with place() as here:
        file = here.root / "other.sqlite"
        conn = sqlite3.connect(file)
        conn.executescript(table)
        written = sum(write(conn, number, story) for number, story in enumerate(stories))
        conn.commit()
        conn.close()
        return Path(file).stat().st_size / written


def _orm_rows(conn: sqlite3.Connection, number: int, story: Invented) -> int:
    rows = [
        (
            number,
            story.name,
            track.key,
            used,
            100 - (used or 0),
            _datetime(resets_at or 0),
            _datetime(at),
        )
        for track in story.tracks
        for at, used, resets_at in zip(track.at, track.used, track.resets_at, strict=True)
    ]
    columns = (
        "account_id, account_name, window, used_percent, remaining_percent, resets_at, taken_at"
    )
    conn.executemany(f"INSERT INTO snapshots ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608  our own names
    return len(rows)


def _json_rows(conn: sqlite3.Connection, number: int, story: Invented) -> int:
    first, *others = story.tracks
    rows = []
    for i, at in enumerate(first.at):
        windows = {
            t.key: {
                "used_percent": t.used[i],
                "resets_at": t.resets_at[i],
                "limit_window_seconds": t.length_s,
            }
            for t in [first, *others]
        }
        rows.append(
            (
                number,
                _datetime(at),
                json.dumps(
                    {
                        "account": story.name,
                        "plan_type": "plus",
                        "allowed": True,
                        "windows": windows,
                    }
                ),
            )
        )
    conn.executemany(
        "INSERT INTO snapshots (account_id, taken_at, document) VALUES (?, ?, ?)", rows
    )
    return len(rows) * len(story.tracks)


def _datetime(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _growth(report: Report) -> None:
    """Size against readings, loaded in bulk."""
    points = []
    for accounts, days in report.size.pick(
        [(1, 1)], [(1, 7), (1, 70), (2, 365)], [(1, 7), (1, 70), (2, 365), (20, 365)]
    ):
        with place() as here, here.app().app_context():
            services().ready()
            readings = fill.fill(accounts, days, clock.now(), every_s=60, persona=PLAIN)
            points.append((float(readings), _bytes(here) / 2**20))
    report.curves.append(
        Curve(
            "size", "Database size, all tables and indexes", "readings", "MiB", {"database": points}
        )
    )
    most, size = points[-1]
    report.add(
        Result(
            "6",
            f"bytes a reading, {most / 1e6:.3g} M readings",
            "bytes",
            [size * 2**20 / most],
            unit="bytes",
            wanted="<= 26",
        )
    )


if __name__ == "__main__":
    main("store", run)
