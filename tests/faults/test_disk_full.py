"""A disk that fills up at any moment: reading goes on, what was acknowledged is there, and writing
goes on once there is room.
"""

import os
import random
import resource
from datetime import UTC

import pytest
from sqlalchemy import event, select

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import DatabaseFull
from quota_web.foresight import forecast_pass
from quota_web.foresight.due import UNMOVED_S
from quota_web.services import services
from tests.fakes import NOW
from tests.faults.figures import runs
from tests.operations import add_account, make_app, record, rows

#: No reading is stale.
NEVER_S = 2**40


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        add_account("alice")
        yield app
        store.database.forget_troubles()


def test_no_more_pages(app, figures):
    """SQLite's own limit stands in for the disk's."""
    chance, at, refused, lost = random.Random(2), NOW, 0, 0
    rounds = runs(20, 200)
    for _ in range(rounds):
        lift = limit_pages(chance.randrange(0, 3))
        acknowledged = rows(store.models.reading)
        for _ in range(3_000):
            at += 1
            try:
                record(1, at, chance.randrange(101))
                acknowledged += 2
            except DatabaseFull:
                refused += 1
                lost += rows(store.models.reading) != acknowledged
                break
        lift()
        at += 1
        record(1, at)
        lost += rows(store.models.reading) != acknowledged + 2
    store.health.check()
    figures.record(
        "times that a full disk stopped writing",
        of=refused,
        bad=lost,
        bad_is="lost an acknowledged snapshot or kept half of one",
    )
    assert refused == rounds


def limit_pages(more):
    with store.database.driver() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        count = connection.execute("PRAGMA page_count").fetchone()[0]
    store.database.bound().dispose()

    def limit(dbapi, _record):
        dbapi.execute(f"PRAGMA max_page_count={count + more}")

    def lift():
        event.remove(store.database.bound(), "connect", limit)
        store.database.bound().dispose()

    event.listen(store.database.bound(), "connect", limit)
    return lift


def test_a_file_that_may_not_grow(app, figures, instance_dir):
    """RLIMIT_FSIZE cuts writes at any byte, in a process of its own for each: it cannot be lifted
    again.
    """
    chance, wrong, total = random.Random(3), 0, runs(25, 250)
    for number in range(total):
        before = rows(store.models.reading)
        size = (instance_dir / "quota.sqlite-wal").stat().st_size
        # Drawn here: what a child draws, the next one would draw again.
        limit = max(size, 4096) + chance.randrange(1, 60_000)
        acknowledged = in_a_child(lambda n=number, most=limit: fill(n, most))
        wrong += rows(store.models.reading) != before + 2 * acknowledged
    store.health.check()
    figures.record(
        "writes cut by a limit on file sizes",
        of=total,
        bad=wrong,
        bad_is="lost an acknowledged snapshot or kept half of one",
    )


def fill(number, limit):
    """Write until the limit is met; how many snapshots were acknowledged."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for second in range(200):
        try:
            record(1, NOW + number * 1_000 + second)
        except DatabaseFull:
            return second
    return 200


def in_a_child(work):
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(out, str(work()).encode())
        finally:
            os._exit(0)
    os.close(out)
    with open(into, encoding="ascii") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return int(said)


def test_forecasts_where_a_file_may_not_grow(app, figures):
    """What is said of the future is written whole or not at all, and the readings stay."""
    for hour in range(30):
        record(1, NOW - (30 - hour) * 3_600, float(hour))
    assert forecast_pass.run(NOW, NEVER_S, UTC) > 0
    chance, wrong, refused, total, at = random.Random(5), 0, 0, runs(25, 250), NOW
    for number in range(total):
        at += UNMOVED_S
        record(1, at, 40.0 + number % 50)
        readings, said = rows(store.models.reading), made_at()
        with store.database.driver() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        limit = chance.randrange(1, 32_000)
        is_kept = in_a_child(lambda a=at, most=limit: foretell(a, most))
        refused += not is_kept
        wrong += made_at() != ({at} if is_kept else said) or rows(store.models.reading) != readings
        forecast_pass.run(at, NEVER_S, UTC)
        wrong += made_at() != {at}
    store.health.check()
    assert 0 < refused < total
    figures.record(
        "forecasts written on a disk without room",
        of=total,
        bad=wrong,
        bad_is="were kept half, lost a reading, or were not made once there was room",
        refused=refused,
    )


def made_at():
    """When the forecasts that pages show were made."""
    one = store.models.forecast.c
    with store.database.reading() as conn:
        return set(conn.execute(select(one.made_at).where(one.day == 0)).scalars())


def foretell(at, limit):
    """Make forecasts where files may not grow beyond *limit*; 1 if they were stored."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        forecast_pass.run(at, NEVER_S, UTC)
    except DatabaseFull:
        return 0
    return 1
