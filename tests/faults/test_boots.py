"""Several first starts at once, some killed in the middle of a migration: one schema comes of it,
and no error.
"""

import random
import shutil
import sqlite3
import subprocess
import sys
import time

from quota_web import store
from quota_web.core.checkout import PROJECT
from quota_web.store.schema import KNOWN
from tests.faults.figures import runs
from tests.operations import environment

WORKERS = 4


def begin(instance, *arguments):
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    return subprocess.Popen(
        command,
        env=environment(instance),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digest(instance):
    connection = sqlite3.connect(instance / "quota.sqlite")
    try:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        states = connection.execute("SELECT count(*) FROM site_state").fetchone()[0]
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return store.schema.listed_objects(rows), states, whole
    finally:
        connection.close()


def old_databases(folder):
    """An instance folder at each schema there ever was, and none at all."""
    for version in KNOWN:
        instance = folder / version / "instance"
        instance.mkdir(parents=True)
        process = begin(instance, "db", "upgrade", version)
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    return [None, *(folder / version / "instance" for version in KNOWN)]


def test_boots(figures, tmp_path):
    chance, wrong, kills, boots = random.Random(11), [], 0, runs(8, 100)
    starts = old_databases(tmp_path / "old")
    expected = (store.schema.objects_at(store.schema.HEAD), 1, "ok")
    for number in range(boots):
        instance = tmp_path / f"boot-{number}" / "instance"
        instance.parent.mkdir()
        source = starts[number % len(starts)]
        if source is not None:
            shutil.copytree(source, instance)
        else:
            instance.mkdir()
        started = [begin(instance, "quota", "accounts", "list") for _ in range(WORKERS)]
        if number % 2:
            # The schema is made somewhere in the second second of a start.
            time.sleep(chance.uniform(0.3, 2.5))
            victim = started.pop()
            victim.kill()
            victim.communicate()
            kills += 1
        ended = [(process.communicate(timeout=100)[1], process.returncode) for process in started]
        wrong += [end for end in ended if end[1] != 0]
        if digest(instance) != expected:
            wrong.append(("schema", number))
        shutil.rmtree(instance.parent)
    print(*wrong, sep="\n")
    figures.record(
        f"starts of {WORKERS} processes at once, fresh and from every older schema",
        of=boots,
        bad=len(wrong),
        bad_is="ended in an error or another schema",
        killed_in_the_middle=kills,
    )
