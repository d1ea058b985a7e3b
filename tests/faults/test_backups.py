"""Backups made while others write: each can be restored, and each is a state that was committed."""

import shutil
import threading

from quota_web import store
from quota_web.core import clock
from quota_web.maintenance import backup
from quota_web.services import services
from tests.fakes import NOW
from tests.faults.figures import runs
from tests.operations import add_account, make_app, record, restored, rows


def test_backups(figures, instance_dir, tmp_path):
    app, stop = make_app(instance_dir), threading.Event()
    written: list[None] = []
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        account = add_account("alice")

        def write():
            with app.app_context():
                while not stop.is_set():
                    record(account, NOW + len(written))
                    written.append(None)

        writer = threading.Thread(target=write)
        writer.start()
        contents, total = [], runs(30, 1_000)
        try:
            for number in range(total):
                before = len(written)
                content = backup.backup(tmp_path / f"{number}.sqlite")
                # The reading of one moment: at least what was acknowledged before, at most one more
                # than after.
                contents.append((content.rows["reading"], 2 * before, 2 * (len(written) + 1)))
        finally:
            stop.set()
            writer.join()
            store.database.forget_troubles()
        wrong = sum(not low <= count <= high or count % 2 for count, low, high in contents)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "instance").mkdir()
        shutil.copy(instance_dir / "secret.key", tmp_path / "other" / "instance")
        other = make_app(tmp_path / "other" / "instance")
        with other.app_context():
            for number, (count, _, _) in enumerate(contents):
                restored(tmp_path / f"{number}.sqlite", NOW + number, "test")
                wrong += rows(store.models.reading) != count
            store.database.forget_troubles()
    figures.record(
        "backups made under writes, and restored",
        of=total,
        bad=wrong,
        bad_is="were no committed state",
        writes=len(written),
    )
