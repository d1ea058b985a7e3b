"""The rows of a backup come from anybody: none may lead to a file of the owner, and none may break
a page.
"""

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from quota_web import store
from quota_web.accounts import account_service, exporting, folder_sync
from quota_web.auth import share_links
from quota_web.codex import auth_file
from quota_web.core.errors import BadInput
from quota_web.maintenance import backup
from quota_web.services import services
from tests.fakes import NOW, auth_document, make_jwt
from tests.operations import add_account, fill_history, leave, make_app, opened, restored, run

MINE = "my thesis"


def document(name):
    return auth_document(f"acct-{name}", access_token=make_jwt(f"acct-{name}", exp=None))


@pytest.fixture
def folder(instance_dir):
    return instance_dir.parent / "account"


@pytest.fixture
def app(instance_dir, folder):
    with opened(instance_dir) as app:
        (folder / "alice.auth.json").write_text(json.dumps(document("alice")))
        folder_sync.sync(services().cipher, folder, NOW)
        add_account("bob", 2)
        yield app


@pytest.fixture
def made(app, tmp_path):
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    leave()
    return file


@pytest.fixture
def precious(tmp_path):
    file = tmp_path / "precious.txt"
    file.write_text(MINE)
    return file


def forge(file, statement, *values):
    with sqlite3.connect(file) as connection:
        connection.execute(statement, values)
    connection.close()


def found(name):
    with store.database.reading() as conn:
        return store.accounts.get_by_name(conn, name)


@pytest.mark.parametrize(
    "path", ["{}/precious.txt", "{}/account/../precious.txt", "precious.txt", ""]
)
def test_a_row_that_names_a_file_elsewhere_leads_nowhere(made, precious, folder, tmp_path, path):
    (folder / "alice.auth.json").unlink()
    forge(made, "UPDATE account SET source_path = ? WHERE name = 'alice'", path.format(tmp_path))

    assert restored(made).no_longer_followed == ("alice",)
    assert (found("alice").origin, found("alice").source_path) == ("managed", None)
    folder_sync.sync(services().cipher, folder, NOW)
    new = auth_file.parse(document("alice"))
    account_service.edit(services().cipher, "alice", "carol", new, NOW, "a person")
    account_service.remove("carol", NOW, "a person")
    assert precious.read_text() == MINE


def test_an_auth_file_of_another_folder_is_not_ours_either(made, folder, tmp_path):
    other = tmp_path / "codex" / "alice.auth.json"
    other.parent.mkdir()
    other.write_text(MINE)
    (folder / "alice.auth.json").unlink()
    forge(made, "UPDATE account SET source_path = ? WHERE name = 'alice'", str(other))

    restored(made)
    account_service.remove("alice", NOW, "a person")
    assert other.read_text() == MINE


def test_accounts_of_another_machine_follow_the_files_of_their_names_here(made, folder):
    forge(
        made, "UPDATE account SET source_path = '/app/account/alice.auth.json' WHERE name = 'alice'"
    )

    assert restored(made).no_longer_followed == ()
    assert found("alice").source_path == str(folder / "alice.auth.json")
    folder_sync.sync(services().cipher, folder, NOW)
    with store.database.reading() as conn:
        assert [a.name for a in store.accounts.list_all(conn)] == ["alice", "bob"]


def test_folders_that_were_followed_before_are_followed_on(app, tmp_path):
    """As `codex_quota_service.py --account-dir D` follows D, which no setting names afterwards."""
    other = tmp_path / "classic"
    other.mkdir()
    (other / "dave.auth.json").write_text(json.dumps(document("dave")))
    folder_sync.sync(services().cipher, other, NOW)
    backup.backup(tmp_path / "backup.sqlite")
    leave()

    assert restored(tmp_path / "backup.sqlite").no_longer_followed == ()
    assert found("dave").source_path == str(other / "dave.auth.json")


@pytest.mark.parametrize("act", ["remove", "edit", "export"])
def test_a_row_that_was_changed_in_place_leads_nowhere_either(app, precious, tmp_path, act):
    with store.database.transaction() as tx:
        store.accounts.update_account(
            tx, store.accounts.get_by_name(tx, "alice").id, source_path=str(precious)
        )

    if act == "remove":
        account_service.remove("alice", NOW, "a person")
    elif act == "edit":
        with pytest.raises(BadInput, match="is no auth file"):
            account_service.edit(services().cipher, "alice", "carol", None, NOW, "a person")
    else:
        exporting.export(services().cipher, "alice", tmp_path / "out.json", NOW, "a person")
        assert auth_file.read((tmp_path / "out.json").read_bytes()).account_id == "acct-alice"
    assert precious.read_text() == MINE


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account SET name = '../../etc/passwd' WHERE name = 'bob'",
        "UPDATE account SET name = char(27) || '[2J' WHERE name = 'bob'",
        "UPDATE account SET name = replace(hex(zeroblob(500)), '0', 'x') WHERE name = 'bob'",
        "UPDATE account SET status = 'excellent'",
        "UPDATE account SET origin = 'borrowed'",
        "UPDATE account SET fault_code = 'http', fault_data = 'not JSON'",
        "UPDATE account SET chatgpt_account_id = 'a' || char(13, 10) || 'Host: evil'",
        "UPDATE account SET created_at = 'yesterday'",
        "UPDATE credential SET access_sealed = 'text'",
        "UPDATE reading SET used_percent = 'much'",
        "UPDATE site_state SET session_epoch = x'00'",
    ],
)
def test_what_this_program_never_writes_is_refused(app, tmp_path, statement):
    fill_history(1, ("carol",))
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    leave()
    forge(file, statement)

    result = run(app, "restore", str(file), "--yes")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "holds what this program never writes" in result.stderr


def test_tokens_that_come_along_are_listed_by_name(app, instance_dir, tmp_path):
    run(app, "token", "create", "laptop", "--write")
    run(app, "token", "create", "statusbar")
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    leave()

    result = run(app, "restore", str(file), "--yes")

    assert "API tokens of the backup are good again: laptop, statusbar" in result.stderr


def test_share_links_that_are_good_again_are_counted(app, tmp_path):
    for _ in range(2):
        share_links.create(services().scope, "calendar", "", False, "", NOW, "test")
    file = tmp_path / "backup.sqlite"
    backup.backup(file)
    leave()

    result = run(app, "restore", str(file), "--yes")

    assert "Share links of the backup are good again: 2." in result.stderr


def test_a_set_up_link_of_another_place_opens_nothing_here(made):
    forge(made, "INSERT INTO setting VALUES ('setup_code_hash', 'known to a stranger')")
    forge(made, "INSERT INTO setting VALUES ('file_act:0', '{}')")

    restored(made)
    with store.database.reading() as conn:
        assert store.auth.setting_of(conn, store.auth.SETUP_CODE) is None
        assert store.auth.settings_beginning(conn, "file_act:") == {}


def test_everything_that_this_program_writes_is_accepted(tmp_path):
    (tmp_path / "demo").mkdir()
    with opened(tmp_path / "demo" / "instance") as app:
        run(app, "demo", "--accounts", "5", "--days", "3")
        run(app, "password", input="a password of the tests\na password of the tests\n")
        run(app, "refresh")
        account_service.pause(next(name for name in names()), NOW, "a person")
        before = names()
        backup.backup(tmp_path / "demo.sqlite")
        leave()
        restored(tmp_path / "demo.sqlite")
        assert names() == before


def names():
    with store.database.reading() as conn:
        return [a.name for a in store.accounts.list_all(conn)]


def test_an_address_of_an_account_dir_elsewhere_is_the_settings(made, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "alice.auth.json").write_text(json.dumps(document("alice")))
    app = make_app(tmp_path / "instance", QUOTA_ACCOUNT_DIR=str(folder))
    with app.app_context():
        forge(made, "UPDATE account SET source_path = ?", str(folder / "alice.auth.json"))
        restored(made)
        assert Path(found("alice").source_path or "") == folder / "alice.auth.json"
        store.database.forget_troubles()


def test_alerts_that_waited_at_the_time_of_the_backup_are_not_sent(made):
    channel = (
        "INSERT INTO channel (id, name, kind, url_sealed, state, created_at) "
        "VALUES (1, 'home', 'webhook', x'00', 'on', 1)"
    )
    event = "INSERT INTO event (id, at, kind, actor) VALUES (9001, 1, 'site.test', 'alerts')"
    delivery = (
        "INSERT INTO delivery (event_id, channel_id, due_at, tries, state) "
        "VALUES (9001, 1, 1, 0, 'waiting')"
    )
    for statement in (channel, event, delivery):
        forge(made, statement)

    restored(made)
    with store.database.reading() as conn:
        rows = conn.execute(text("SELECT state FROM delivery")).scalars()
        assert set(rows) <= {"dropped"}
