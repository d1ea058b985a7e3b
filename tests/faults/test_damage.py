"""Damaged pages: found, never taken for an empty database, never overwritten; and copies of
anybody's making never harm.
"""

import random
import shutil
import sqlite3

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import BadDatabase, BadInput, QuotaError
from quota_web.core.secret import Secret
from quota_web.demo import fill
from quota_web.maintenance import backup
from quota_web.services import services
from tests.fakes import NOW
from tests.faults.figures import runs
from tests.operations import fill_history, make_app, restored, rows

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A database of more than 64 pages, all in one file."""
    folder = tmp_path_factory.mktemp("whole")
    app = make_app(folder / "instance")
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill.fill(6, 40, NOW, utc_offset_s=0)
        with store.database.driver() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.database.forget_troubles()
        content = backup.backup(folder / "backup.sqlite")
        services().cipher.seal(Secret("makes the key"), 1, "access")
        store.database.forget_troubles()
    return folder, (content.rows["account"], content.rows["reading"])


def damaged(content, page, how, chance):
    image = bytearray(content)
    start = page * PAGE
    if how == "zeroed":
        image[start : start + PAGE] = bytes(PAGE)
    elif how == "page header flipped":
        at = start + (100 if page == 0 else 0) + chance.randrange(8)
        image[at] ^= 1 << chance.randrange(8)
    elif how == "file header flipped":
        image[chance.randrange(16)] ^= 1 << chance.randrange(8)
    else:
        image[start : start + PAGE] = chance.randbytes(PAGE)
    return bytes(image)


def test_damaged_pages(figures, whole, tmp_path):
    folder, counts = whole
    content, chance = (folder / "instance" / "quota.sqlite").read_bytes(), random.Random(4)
    pages = len(content) // PAGE
    assert pages >= 64
    cases = [
        (page, how) for page in range(pages) for how in ("zeroed", "noise", "page header flipped")
    ]
    cases += [(0, "file header flipped")] * runs(16, 160)
    seen = {"found": 0, "harmless": 0}
    wrong = 0
    instance = tmp_path / "instance"
    for page, how in chance.sample(cases, min(len(cases), runs(220, 2_000))):
        shutil.rmtree(instance, ignore_errors=True)
        instance.mkdir(mode=0o700)
        shutil.copy(folder / "instance" / "secret.key", instance)
        image = damaged(content, page, how, chance)
        (instance / "quota.sqlite").write_bytes(image)
        outcome = start(instance, counts)
        wrong += outcome == "reset" or (
            outcome == "found" and (instance / "quota.sqlite").read_bytes() != image
        )
        if outcome in seen:
            seen[outcome] += 1
    figures.record(
        "damaged databases opened",
        of=sum(seen.values()) + wrong,
        bad=wrong,
        bad_is="were emptied, changed, or ended in a traceback",
        **seen,
    )
    assert seen["found"] > seen["harmless"]


def start(instance, counts):
    """What a service's start makes of it: `found`, `harmless` (everything is still there), or
    `reset`.
    """
    app = make_app(instance)
    with app.app_context():
        try:
            services().ready()
            store.health.check()
            return (
                "harmless"
                if (rows(store.models.account), rows(store.models.reading)) == counts
                else "reset"
            )
        except BadDatabase:
            return "found"
        finally:
            store.database.forget_troubles()


def test_restore_of_anything(figures, whole, tmp_path):
    """Backups with bytes flipped, cut, doubled, or with statements in them that we did not
    write.
    """
    folder, counts = whole
    good, chance = (folder / "backup.sqlite").read_bytes(), random.Random(5)
    instance, wrong, refused, total = tmp_path / "instance", 0, 0, runs(80, 2_000)
    instance.mkdir(mode=0o700)
    shutil.copy(folder / "instance" / "secret.key", instance)
    app = make_app(instance)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill_history(1)
        kept = rows(store.models.reading)
        presence = services().presence
        assert presence is not None
        presence.leave()
        outside = listing(tmp_path)
        for _ in range(total):
            file = tmp_path / "candidate"
            file.write_bytes(forged(good, chance, tmp_path))
            try:
                restored(file)
                # Whole and ours: then it is what the backup was, or was never harmful.
                wrong += (rows(store.models.account), rows(store.models.reading)) != counts
                forget_kept(instance)
                kept = rows(store.models.reading)
            except (BadInput, QuotaError):
                refused += 1
                wrong += rows(store.models.reading) != kept
            file.unlink()
            store.database.forget_troubles()
        wrong += listing(tmp_path) - outside != set()
    figures.record(
        "forged backups given to restore",
        of=total,
        bad=wrong,
        bad_is="changed the database, wrote elsewhere or ended in a traceback",
        refused=refused,
    )
    assert refused > total // 2


def listing(folder):
    return {
        str(path)
        for path in folder.rglob("*")
        if ".before-restore-" not in path.name and not path.name.endswith(("-wal", "-shm"))
    }


def forget_kept(instance):
    for path in instance.glob("*.before-restore-*"):
        path.unlink()


EVIL = (
    "CREATE TRIGGER evil AFTER INSERT ON event BEGIN DELETE FROM reading; END",
    "CREATE VIEW more AS SELECT 1",
    "CREATE TABLE sqlite_statement (x)",
    "DROP TABLE site_state",
    "UPDATE alembic_version SET version_num = '../../0001'",
    "ATTACH 'elsewhere' AS e; CREATE TABLE e.t (x)",
)


def forged(good, chance, folder):
    how = chance.randrange(5)
    image = bytearray(good)
    if how == 0:
        for _ in range(chance.randrange(1, 40)):
            image[chance.randrange(len(image))] = chance.randrange(256)
    elif how == 1:
        del image[chance.randrange(len(image)) :]
    elif how == 2:
        image += image[: chance.randrange(len(image))]
    elif how == 3:
        image[: chance.randrange(200)] = b""
    else:
        return with_statements(good, chance, folder)
    return bytes(image)


def with_statements(good, chance, folder):
    file = folder / "forging"
    file.write_bytes(good)
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute(chance.choice(EVIL))
    except (sqlite3.Error, sqlite3.Warning):
        connection.execute("CREATE TABLE other (x)")
    finally:
        connection.close()
    content = file.read_bytes()
    for path in folder.glob("forging*"):
        path.unlink()
    return content
