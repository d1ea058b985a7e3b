"""Files of the owner change after the database's commit: a kill, a full disk or a lost database in
between loses neither.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from quota_web import store
from quota_web.accounts import account_service, file_outbox
from quota_web.codex import auth_file
from quota_web.core.errors import AccountNotFound, BadDatabase, BadInput
from tests.fakes import NOW, auth_document, make_jwt

pytestmark = pytest.mark.usefixtures("database")

BY = "a person"
HOUR = 3_600

#: Writes new credentials and dies when the database is about to commit.
DYING = """
import os
from sqlalchemy import event
from quota_web import config, store
from quota_web.factory import create_app
from quota_web.services import services
from tests.accounts import test_file_outbox as here

app = create_app(config.load(os.environ))
with app.app_context():
    services().ready()
    event.listen(store.database.bound(), "commit", lambda _: os._exit(9))
    here.ACTS["rename and write"](services().cipher)
"""


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def other_credentials():
    token = make_jwt("acct-alice", user_id="user-acct-alice", exp=NOW + 5_000)
    return auth_file.parse(
        auth_document("acct-alice", access_token=token, refresh_token="rt_new-refresh-token-000000")
    )


ACTS = {
    "remove": lambda _: account_service.remove("alice", NOW, BY),
    "rename": lambda cipher: account_service.edit(cipher, "alice", "bob", None, NOW, BY),
    "write": lambda cipher: account_service.edit(
        cipher, "alice", "alice", other_credentials(), NOW, BY
    ),
    "rename and write": lambda cipher: account_service.edit(
        cipher, "alice", "bob", other_credentials(), NOW, BY
    ),
}
#: act → the accounts and the files in the end
AFTER = {"remove": [], "rename": ["bob"], "write": ["alice"], "rename and write": ["bob"]}


@pytest.fixture
def alice(installation, codex):
    path = installation.file("alice")
    installation.refresh()
    return path


def killed(installation, monkeypatch, act, moment="after the commit"):
    def die(*_):
        raise Killed

    with monkeypatch.context() as dying:
        target, name = (
            (file_outbox.Plan, "carry_out")
            if moment == "after the commit"
            else (store.filesystem, "sync")
        )
        dying.setattr(target, name, die)
        with pytest.raises(Killed):
            ACTS[act](installation.services.cipher)


def shown(installation):
    return sorted(
        path.name for path in installation.accounts.iterdir() if not path.name.startswith(".")
    )


def hidden(installation):
    return [path.name for path in installation.accounts.iterdir() if path.name.startswith(".")]


def pending(installation):
    with store.database.reading() as conn:
        return file_outbox.held(conn)


@contextmanager
def commit_refused(installation):
    """The database is lost, or full, at the moment of COMMIT."""

    def refuse(conn):
        event.remove(store.database.bound(), "commit", refuse)
        if not store.database.is_sqlite(conn):
            conn.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    event.listen(store.database.bound(), "commit", refuse)
    yield


@pytest.mark.parametrize("act", ACTS)
def test_what_the_database_does_not_take_changes_no_file(installation, alice, act):
    before = alice.read_bytes()
    with commit_refused(installation), pytest.raises(BadDatabase):
        ACTS[act](installation.services.cipher)

    assert alice.read_bytes() == before
    assert (shown(installation), hidden(installation), pending(installation)) == (
        [alice.name],
        [],
        set(),
    )
    installation.follow()
    assert installation.names() == ["alice"]
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


def test_a_kill_before_the_commit_changes_nothing(installation, alice):
    before = alice.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", DYING],
        env=installation.process_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (9, "")
    assert len(hidden(installation)) == 1
    for name in hidden(installation):
        os.utime(installation.accounts / name, (NOW - 2 * HOUR, NOW - 2 * HOUR))

    installation.follow()
    assert alice.read_bytes() == before
    assert (installation.names(), shown(installation), hidden(installation)) == (
        ["alice"],
        [alice.name],
        [],
    )
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("moment", ["after the commit", "after the file"])
def test_a_kill_after_the_commit_leaves_the_rest_to_the_next_look(
    installation, alice, monkeypatch, act, moment
):
    killed(installation, monkeypatch, act, moment)

    installation.follow()
    assert installation.names() == AFTER[act]
    assert shown(installation) == [f"{name}.auth.json" for name in AFTER[act]]
    assert (hidden(installation), pending(installation)) == ([], set())
    for name in installation.names():
        assert installation.used(name) == {"five_hour": 12, "weekly": 40}
        assert installation.account(name).chatgpt_account_id == "acct-alice"
    if "write" in act:
        found = auth_file.read((installation.accounts / f"{AFTER[act][0]}.auth.json").read_bytes())
        assert found == other_credentials()
    installation.follow()
    assert installation.names() == AFTER[act]


@pytest.mark.parametrize("act", ACTS)
def test_a_file_that_somebody_wrote_meanwhile_is_left_alone(installation, alice, monkeypatch, act):
    killed(installation, monkeypatch, act)
    alice.write_bytes(b'{"new": "from somebody"}')

    installation.follow()
    assert alice.read_bytes() == b'{"new": "from somebody"}'
    assert (hidden(installation), pending(installation)) == ([], set())


def test_a_file_that_took_the_new_name_meanwhile_is_left_alone(installation, alice, monkeypatch):
    before = alice.read_bytes()
    killed(installation, monkeypatch, "rename")
    other = installation.file("bob", "acct-other")

    installation.follow()
    assert alice.read_bytes() == before
    assert b"acct-other" in other.read_bytes()


def test_a_note_of_a_file_elsewhere_is_not_followed(installation, alice, monkeypatch, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    killed(installation, monkeypatch, "remove")
    installation.execute(
        "UPDATE setting SET value = replace(value, :old, :new) WHERE key LIKE 'file_act:%'",
        old=str(alice),
        new=str(precious),
    )

    installation.follow()
    installation.follow(tmp_path)
    assert precious.read_text() == "mine"


def test_a_prepared_file_of_a_living_process_stays(installation, alice):
    living = installation.accounts / ".alice.auth.json.0123abcd"
    living.write_text("{}")
    os.utime(living, (NOW - 60, NOW - 60))
    own = installation.accounts / ".alice.auth.json.mine"
    own.write_text("{}")
    os.utime(own, (1, 1))

    installation.follow()
    assert sorted(hidden(installation)) == [living.name, own.name]


def test_a_file_of_somebody_else_in_a_shared_folder_is_refused_before_anything_changes(
    installation, alice, monkeypatch
):
    """As in /tmp: in a folder with the sticky bit only the owner of a file, or of the folder, may
    take it away.
    """
    installation.accounts.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)

    for act in ("remove", "rename"):
        with pytest.raises(BadInput, match="cannot be written: Operation not permitted"):
            ACTS[act](installation.services.cipher)
    assert installation.names() == ["alice"]
    assert shown(installation) == [alice.name]


def test_a_file_that_cannot_be_removed_after_all_is_said_and_not_taken_for_a_new_account(
    installation, alice, monkeypatch
):
    with monkeypatch.context() as broken:
        broken.setattr(
            "quota_web.store.filesystem.sync",
            lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")),
        )
        with pytest.raises(
            BadInput, match="cannot be written: Input/output error; the change is stored"
        ):
            account_service.remove("alice", NOW, BY)
        installation.follow()
        assert installation.names() == []
    installation.follow()
    assert (installation.names(), shown(installation), pending(installation)) == ([], [], set())
    with pytest.raises(AccountNotFound):
        installation.account("alice")
