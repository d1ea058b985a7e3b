"""A folder with many new files: their accounts come a few at a time, so that others get at the
database in between.
"""

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.accounts import folder_sync

pytestmark = pytest.mark.usefixtures("database")

MANY = 3 * folder_sync.PIECE + 1


@pytest.fixture
def writes(installation):
    """How many accounts each transaction has written, in order."""
    counts = [0]

    def statement(_conn, _cursor, sql, *_):
        marks = sql.startswith("UPDATE account SET") and "source_gone_at" in sql
        counts[-1] += marks or sql.startswith("INSERT INTO account ")

    def commit(_conn):
        counts.append(0)

    event.listen(store.database.bound(), "before_cursor_execute", statement)
    event.listen(store.database.bound(), "commit", commit)
    return counts


def pieces(counts):
    found = [count for count in counts if count]
    counts[:] = [0]
    return found


def test_a_first_look_at_many_files_lets_others_in_between(installation, writes):
    for number in range(MANY):
        installation.file(f"user-{number:03}")

    installation.follow()
    assert len(installation.names()) == MANY
    assert pieces(writes) == [folder_sync.PIECE] * 3 + [1]
    installation.follow()
    assert pieces(writes) == []


def test_so_does_the_look_after_all_files_have_gone(installation, writes):
    files = [installation.file(f"user-{number:03}") for number in range(MANY)]
    installation.follow()
    pieces(writes)
    for file in files:
        file.unlink()

    installation.follow()
    assert {installation.account(name).source_gone_at for name in installation.names()} == {
        installation.now
    }
    assert pieces(writes) == [folder_sync.PIECE] * 3 + [1]


def test_a_look_that_is_interrupted_goes_on_at_the_next(installation, monkeypatch):
    for number in range(MANY):
        installation.file(f"user-{number:03}")

    with monkeypatch.context() as dying:
        dying.setattr("time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            installation.follow()
    assert len(installation.names()) == folder_sync.PIECE
    installation.follow()
    assert len(installation.names()) == MANY


def interrupted(_seconds):
    raise KeyboardInterrupt
