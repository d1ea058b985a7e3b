"""A backup and the key of its tokens: a restore knows before it swaps whether they can be opened,
and says what to do.
"""

import json

import pytest

from quota_web import store
from quota_web.accounts import folder_sync
from quota_web.core.errors import BadInput
from quota_web.core.quota import Status
from quota_web.maintenance import backup, rotate_key
from quota_web.services import services
from quota_web.store.encryption import REFRESH
from tests.fakes import NOW, auth_document, make_jwt
from tests.operations import CANARY, add_account, leave, make_app, opened, restored, rows, run


@pytest.fixture
def app(instance_dir):
    with opened(instance_dir) as app:
        add_account("alice", 1)
        add_account("bob", 2)
        yield app


@pytest.fixture
def made(app, tmp_path):
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    leave()
    return file


@pytest.fixture
def key_file(instance_dir):
    return instance_dir / "secret.key"


def tokens():
    with store.database.reading() as conn:
        every = store.credentials.list_all(conn)
    opened = [services().cipher.open(s.refresh_sealed or b"", s.account_id, REFRESH) for s in every]
    return sorted(token.reveal() for token in opened)


def followed(folder, name="carol"):
    document = auth_document("acct-9", access_token=make_jwt("acct-9", exp=None))
    file = folder / f"{name}.auth.json"
    file.write_text(json.dumps(document))
    folder_sync.sync(services().cipher, folder, NOW)
    return file


def fault_of(name):
    with store.database.reading() as conn:
        return store.accounts.get_by_name(conn, name).fault


def test_a_backup_from_before_a_change_of_the_key_comes_back_with_its_tokens(app, made, key_file):
    old = key_file.read_text()
    done = rotate_key.rotate(services().cipher, NOW, "test")
    present = key_file.read_text()
    assert done.old_keys is not None
    assert (done.old_keys.read_text(), done.old_keys.stat().st_mode & 0o777) == (old, 0o600)

    result = run(app, "restore", str(made), "--yes")

    assert result.exit_code == 0
    assert "2 account(s) are sealed with the present key now" in result.stdout
    assert tokens() == [f"{CANARY}-1", f"{CANARY}-2"]
    assert key_file.read_text() == present


def test_two_changes_of_one_second_keep_both_old_keys(app, key_file):
    keys = [key_file.read_text()]
    asides = []
    for _ in range(2):
        asides.append(rotate_key.rotate(services().cipher, NOW, "test").old_keys)
        keys.append(key_file.read_text())

    assert [aside.read_text() for aside in asides if aside] == keys[:2]


def test_what_no_key_opens_is_refused_before_anything_changes(app, made, key_file, instance_dir):
    key_file.write_text("another key, of another machine\n")
    database = (instance_dir / "quota.sqlite").read_bytes()

    result = run(app, "restore", str(made), "--yes")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "no key here opens the tokens of alice, bob; nothing was changed" in result.stderr
    assert f"add the key of that time as a further line of {key_file}" in result.stderr
    assert (instance_dir / "quota.sqlite").read_bytes() == database
    assert sorted(path.name for path in instance_dir.glob("*restore*")) == []


def test_the_advice_helps(app, made, key_file):
    old = key_file.read_text()
    key_file.write_text("another key, of another machine\n")
    with pytest.raises(BadInput):
        restored(made)

    key_file.write_text("another key, of another machine\n" + old)
    assert restored(made).resealed == 2
    key_file.write_text("another key, of another machine\n")
    assert tokens() == [f"{CANARY}-1", f"{CANARY}-2"]


def test_a_missing_key_is_said_and_none_is_made(made, tmp_path):
    (tmp_path / "new").mkdir()
    elsewhere = make_app(tmp_path / "new" / "instance")

    with elsewhere.app_context():
        result = run(elsewhere, "restore", str(made), "--yes")
        store.database.forget_troubles()

    assert result.exit_code == 1
    assert (
        f"put the key of that time back as {tmp_path}/new/instance/secret.key first"
        in result.stderr
    )
    assert list((tmp_path / "new" / "instance").glob("secret.key*")) == []


def test_a_given_key_names_its_setting(made, instance_dir):
    given = make_app(instance_dir, QUOTA_SECRET_KEY="a new key of the environment")
    (instance_dir / "secret.key").unlink()

    with given.app_context():
        result = run(given, "restore", str(made), "--yes")
        store.database.forget_troubles()
    assert "set QUOTA_SECRET_KEY_OLD to the key of that time" in result.stderr


def test_the_history_comes_back_without_the_tokens_where_that_is_wanted(app, made, key_file):
    key_file.unlink()

    result = run(app, "restore", str(made), "--yes", "--without-tokens")

    assert result.exit_code == 0
    assert "alice: no key opens its tokens; save the account again" in result.stderr
    assert rows(store.models.account) == 2
    assert rows(store.models.credential) == 0
    fault = fault_of("alice")
    assert fault is not None
    assert fault.code == "token_lost"
    assert "save the account again" in run(app, "refresh", "alice").stderr
    # Nothing refuses to start, and giving an account its token again is all there is to do.
    with opened(key_file.parent):
        add_account("alice", 1)
        assert fault_of("alice") is None


def test_an_account_whose_file_is_there_needs_no_key(app, made, instance_dir, tmp_path):
    folder = instance_dir.parent / "account"
    run(app, "accounts", "remove", "alice")
    run(app, "accounts", "remove", "bob")
    followed(folder)
    backup.backup(tmp_path / "with-file.sqlite")
    (instance_dir / "secret.key").write_text("another key, of another machine\n")

    done = restored(tmp_path / "with-file.sqlite")

    assert done.without_tokens == ()
    folder_sync.sync(services().cipher, folder, NOW)
    assert fault_of("carol") is None
    with store.database.reading() as conn:
        assert len(store.credentials.list_all(conn)) == 1


def test_the_first_refresh_after_a_lost_key_asks_for_accounts_whose_files_are_there(
    installation, codex
):
    path = installation.file("alice")
    installation.refresh()
    before = path.read_bytes()
    (installation.instance / "secret.key").write_text("another key, of another machine\n")

    [result] = installation.refresh(force=True).values()

    assert (result.status, installation.account("alice").status) == (Status.OK, Status.OK)
    assert path.read_bytes() == before
