"""A power cut in the middle of a write: whatever is left of the write-ahead log, the database opens
at a state that was committed.
"""

import random
import shutil
import sqlite3

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.services import services
from tests.fakes import NOW
from tests.faults.figures import runs
from tests.operations import add_account, make_app, record

COMMITS = 60
FRAME = 24 + 4096


@pytest.fixture
def written(instance_dir, tmp_path):
    """A database with its log as the disk had them, and for each commit the log's length and the
    readings there were.
    """
    app = make_app(instance_dir)
    kept = tmp_path / "kept"
    kept.mkdir()
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        account = add_account("alice")
        with store.database.driver() as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        log, states = instance_dir / "quota.sqlite-wal", [(0, 0)]
        for second in range(COMMITS):
            record(account, NOW + second, second % 100)
            states.append((log.stat().st_size, 2 * (second + 1)))
        for name in ("quota.sqlite", "quota.sqlite-wal"):
            shutil.copy(instance_dir / name, kept / name)
        store.database.forget_troubles()
    return kept, states


def torn(log: bytes, chance: random.Random, cut: int) -> bytes:
    """The log up to *cut*, and behind that what a disk may have there: nothing, zeros, noise, or
    older bytes.
    """
    tail = chance.choice((0, chance.randrange(1, 3 * FRAME)))
    kind = chance.choice(("zeros", "noise", "older"))
    if kind == "zeros":
        return log[:cut] + bytes(tail)
    if kind == "noise":
        return log[:cut] + chance.randbytes(tail)
    return log[:cut] + log[max(0, cut - tail) : cut]


def test_torn_logs(figures, written, tmp_path):
    kept, states = written
    log, chance = (kept / "quota.sqlite-wal").read_bytes(), random.Random(1)
    place = tmp_path / "torn"
    place.mkdir()
    wrong = 0
    cuts = runs(1_500, 20_000)
    for _ in range(cuts):
        cut = chance.randrange(len(log) + 1)
        shutil.copy(kept / "quota.sqlite", place / "quota.sqlite")
        (place / "quota.sqlite-wal").write_bytes(torn(log, chance, cut))
        expected = max(count for size, count in states if size <= cut)
        wrong += found(place / "quota.sqlite") != ("ok", expected)
    figures.record(
        "torn write-ahead logs opened",
        of=cuts,
        bad=wrong,
        bad_is="were damaged or no exact prefix of what was committed",
    )


def found(file):
    connection = sqlite3.connect(file)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return whole, connection.execute("SELECT count(*) FROM reading").fetchone()[0]
    except sqlite3.Error as error:
        return str(error), -1
    finally:
        connection.close()
