"""What root makes in somebody's folder belongs to that folder's owner: a service that runs as that
user goes on with it.
"""

import os
import stat

import pytest

from quota_web import store
from quota_web.accounts import account_service, exporting
from quota_web.auth import login
from quota_web.auth.login import LoginContext
from quota_web.codex import auth_file
from quota_web.core import clock
from quota_web.maintenance import backup, rotate_key
from quota_web.services import services
from quota_web.store.locks import DatabaseLock
from tests.fakes import NOW, auth_document, make_jwt
from tests.operations import add_account, leave, opened, restored

SOMEBODY = 4321
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")


def owners(folder):
    return {
        path.name: (path.lstat().st_uid, path.lstat().st_gid)
        for path in [folder, *folder.rglob("*")]
    }


def given(folder):
    folder.mkdir(exist_ok=True)
    os.chown(folder, SOMEBODY, SOMEBODY + 1)
    return folder


def test_all_that_commands_of_root_make_belongs_to_the_folders_owner(instance_dir):
    given(instance_dir)
    # Named, so that no test puts a file there: the database is one of those that root makes.
    database = f"sqlite:///{instance_dir / 'quota.sqlite'}"
    with opened(instance_dir, QUOTA_DATABASE_URL=database) as app:
        add_account("alice")
        login.setup_link(LoginContext(app.config["SETTINGS"]), "http://localhost", clock.now())
        holder = store.locks.RunLock(7)
        backup.backup(instance_dir / "backup.sqlite")
        leave()
        restored(instance_dir / "backup.sqlite")
        rotate_key.rotate(services().cipher, NOW, "test")
        DatabaseLock(instance_dir / "quota.sqlite").leave()

        found = owners(instance_dir)
        holder.leave()
    made = {
        ".in-use",
        ".schema.lock",
        "quota.sqlite",
        "quota.sqlite-wal",
        "secret.key",
        "setup-link",
        ".asking.7",
        "backup.sqlite",
    }
    assert made <= set(found)
    assert {name: owner for name, owner in found.items() if owner != (SOMEBODY, SOMEBODY + 1)} == {}
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in [instance_dir, *instance_dir.rglob("*")]
    )


def test_an_auth_file_that_root_writes_stays_its_owners(installation):
    path = installation.file("alice", "acct-1", user_id="user-1")
    given(installation.accounts)
    installation.follow()
    token = make_jwt("acct-1", user_id="user-1", exp=NOW + 99)
    account_service.edit(
        installation.services.cipher,
        "alice",
        "alice",
        auth_file.parse(auth_document("acct-1", access_token=token)),
        NOW,
        "root",
    )

    assert path.stat().st_uid == SOMEBODY


def test_an_export_of_root_stays_roots(installation, tmp_path):
    installation.file("alice")
    installation.follow()
    folder = given(tmp_path / "of-somebody")
    exporting.export(installation.services.cipher, "alice", folder / "out.json", NOW, "root")

    assert (folder / "out.json").stat().st_uid == 0


def test_what_is_there_already_changes_no_hands(tmp_path):
    folder, outside = given(tmp_path / "folder"), tmp_path / "outside"
    outside.write_text("")
    (folder / "link").symlink_to(outside)
    (folder / "own").write_text("")

    for name in ("link", "own"):
        with pytest.raises(FileExistsError):
            store.filesystem.created(folder / name)
    with pytest.raises(OSError, match="symbolic links"):
        store.locks.lock_file(folder / "link")
    os.close(store.locks.lock_file(folder / "own"))
    assert (outside.stat().st_uid, (folder / "own").stat().st_uid) == (0, 0)


def test_new_folders_belong_to_the_owner_of_the_one_above(tmp_path):
    folder = given(tmp_path / "folder")
    store.filesystem.make_folder(folder / "a" / "b")

    assert owners(folder) == dict.fromkeys(("folder", "a", "b"), (SOMEBODY, SOMEBODY + 1))
    assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) == 0o700


def test_where_nothing_can_be_given_it_is_made_all_the_same(tmp_path, monkeypatch):
    """As in a container without the right to, or on a file system of Windows."""

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    os.close(store.filesystem.created(given(tmp_path / "folder") / "new"))

    assert (tmp_path / "folder" / "new").stat().st_uid == 0
