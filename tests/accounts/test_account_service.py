"""Acts on accounts: add, replace, rename, pause, resume, remove, export; histories never mix."""

import json
import os
import stat

import pytest

from quota_web import store
from quota_web.accounts import account_service, exporting, stored_credentials
from quota_web.codex import auth_file
from quota_web.core.errors import AccountExists, AccountNotFound, BadInput
from quota_web.core.quota import Status
from tests.fakes import NOW, auth_document, make_jwt

pytestmark = pytest.mark.usefixtures("database")

BY = "a person"


def credentials(account_id="acct-1", user_id="user-1", **token):
    access = make_jwt(account_id, user_id=user_id, **token)
    return auth_file.parse(
        auth_document(
            account_id,
            access_token=access,
            id_token=make_jwt(account_id, user_id=user_id, email="a@example.com"),
        )
    )


def add(installation, name="alice", *args, **token):
    return account_service.add(
        installation.services.cipher, name, credentials(*args, **token), installation.now, BY
    )


def edit(installation, original, name=None, new=None):
    return account_service.edit(
        installation.services.cipher, original, name or original, new, installation.now, BY
    )


def sealed_of(found):
    with store.database.reading() as conn:
        return store.credentials.get_by_ids(conn, [found.id])[found.id]


def kinds():
    with store.database.reading() as conn:
        return [(e.kind, e.actor) for e in reversed(store.audit_log.newest(conn))]


def readings_of(installation, name):
    return installation.rows("SELECT count(*) FROM snapshot WHERE account = :name", name=name)[0][0]


def test_an_added_account_is_managed_sealed_and_due_at_once(installation):
    saved = add(installation)

    found = installation.account("alice")
    assert (saved.name, saved.is_new, saved.archived_as) == ("alice", True, None)
    assert (found.origin, found.status, found.next_due_at, found.email) == (
        "managed",
        Status.PENDING,
        NOW,
        "a@example.com",
    )
    assert (found.chatgpt_account_id, found.chatgpt_user_id) == ("acct-1", "user-1")
    [(access, refresh, identity)] = installation.rows(
        "SELECT access_sealed, refresh_sealed, id_sealed FROM credential"
    )
    clear = stored_credentials.opened(installation.services.cipher, found, sealed_of(found))
    for token, sealed in (
        (clear.access_token, access),
        (clear.refresh_token, refresh),
        (clear.id_token, identity),
    ):
        assert token is not None
        # Not just any three letters: sealed bytes are letters, too, and hold each of them sooner or
        # later.
        assert token.reveal()[:12].encode() not in bytes(sealed)
    assert kinds() == [("account_added", BY)]


def test_new_credentials_of_the_same_login_go_on_with_its_history(installation, codex):
    add(installation, "alice", "acct-1")
    installation.ask()
    again = add(installation, "ALICE", "acct-1", exp=NOW + 99)

    assert (again.name, again.is_new) == ("alice", False)
    assert installation.account("alice").status is Status.PENDING
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.rows("SELECT version, access_expires_at FROM credential") == [(2, NOW + 99)]


def test_another_login_cannot_take_the_name(installation):
    add(installation, "alice", "acct-1")

    with pytest.raises(AccountExists, match="name already taken by another login"):
        add(installation, "Alice", "acct-2")
    assert installation.account("alice").chatgpt_account_id == "acct-1"


def test_another_member_of_the_same_workspace_is_another_login(installation):
    add(installation, "alice", "acct-1", "user-1")

    with pytest.raises(AccountExists):
        add(installation, "alice", "acct-1", "user-2")


def test_a_token_that_names_no_user_speaks_against_nobody(installation):
    add(installation, "alice", "acct-1", "user-1")

    assert not add(installation, "alice", "acct-1", None).is_new
    assert installation.account("alice").chatgpt_user_id == "user-1"


def test_a_bad_name_is_refused_at_its_field(installation):
    with pytest.raises(BadInput) as refused:
        add(installation, "../alice")
    assert refused.value.field == "name"


# Editing


def test_renaming_keeps_the_history(installation, codex):
    add(installation)
    installation.ask()
    edit(installation, "alice", "Alice Two")

    assert installation.names() == ["Alice Two"]
    assert installation.account("alice two").status is Status.OK
    assert readings_of(installation, "Alice Two") == 2


def test_a_name_can_change_its_case(installation):
    add(installation)
    edit(installation, "alice", "Alice")

    assert installation.names() == ["Alice"]


def test_renaming_onto_another_account_is_refused(installation):
    add(installation)
    add(installation, "bob", "acct-2", "user-2")

    with pytest.raises(AccountExists):
        edit(installation, "alice", "BOB")
    assert installation.names() == ["alice", "bob"]


def test_editing_nobody_is_told(installation):
    with pytest.raises(AccountNotFound):
        edit(installation, "nobody")


def test_another_login_under_the_same_name_starts_a_new_history(installation, codex):
    add(installation)
    installation.ask()
    saved = edit(installation, "alice", new=credentials("acct-2", "user-2"))

    assert (saved.name, saved.is_new, saved.archived_as) == (
        "alice",
        True,
        "alice (until 2026-11-21)",
    )
    old = installation.account("alice (until 2026-11-21)")
    assert (old.chatgpt_account_id, old.status, old.origin) == ("acct-1", Status.PAUSED, "managed")
    assert readings_of(installation, old.name) == 2
    assert installation.account("alice").chatgpt_account_id == "acct-2"
    assert installation.used("alice") == {}


def test_a_second_login_on_the_same_day_gets_a_number(installation):
    add(installation)
    for number in (2, 3):
        edit(installation, "alice", new=credentials(f"acct-{number}", f"user-{number}"))

    assert installation.names() == [
        "alice",
        "alice (until 2026-11-21)",
        "alice (until 2026-11-21, 2)",
    ]


def test_a_long_name_is_cut_where_it_moves_aside(installation):
    add(installation, "x" * 80)
    saved = edit(installation, "x" * 80, new=credentials("acct-2", "user-2"))

    assert saved.archived_as == "x" * 61 + " (until 2026-11-21)"


def test_renaming_a_followed_account_renames_its_file(installation, codex):
    old = installation.file("alice")
    installation.refresh()
    before = old.read_bytes()
    edit(installation, "alice", "bob")

    assert not old.exists()
    assert (installation.accounts / "bob.auth.json").read_bytes() == before
    installation.follow()
    assert installation.names() == ["bob"]
    assert installation.account("bob").status is Status.OK
    assert installation.used("bob") == {"five_hour": 12, "weekly": 40}


def test_new_credentials_of_a_followed_account_go_into_its_file(installation, codex):
    path = installation.file("alice", "acct-1", user_id="user-1")
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "unknown": {"kept": True}}))
    installation.follow()
    edit(installation, "alice", new=credentials("acct-1", "user-1", exp=NOW + 5_000))

    written = json.loads(path.read_bytes())
    assert written["unknown"] == {"kept": True}
    assert auth_file.parse(written).expires_at == NOW + 5_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    installation.ask()
    installation.follow()
    assert installation.account("alice").status is Status.OK
    assert installation.rows("SELECT refresh_sealed FROM credential") == [(None,)]


def test_a_symbolic_links_target_is_written_not_the_link(installation, tmp_path):
    target = installation.file("alice", "acct-1", user_id="user-1").rename(
        tmp_path / "elsewhere.json"
    )
    link = installation.accounts / "alice.auth.json"
    link.symlink_to(target)
    installation.follow()
    edit(installation, "alice", new=credentials("acct-1", "user-1", exp=NOW + 5_000))

    assert link.is_symlink()
    assert auth_file.read(target.read_bytes()).expires_at == NOW + 5_000


def test_a_file_in_the_way_of_a_new_name_is_not_overwritten(installation):
    installation.file("alice")
    installation.follow()
    other = installation.file("bob", "acct-other")

    with pytest.raises(BadInput, match=r"already a file bob\.auth\.json"):
        edit(installation, "alice", "bob")
    assert installation.names() == ["alice"]
    assert b"acct-other" in other.read_bytes()


def test_an_account_whose_file_is_gone_can_be_renamed(installation):
    path = installation.file("alice")
    installation.follow()
    path.unlink()
    installation.follow()
    edit(installation, "alice", "bob")

    assert installation.names() == ["bob"]
    installation.follow()
    assert installation.account("bob").status is Status.INVALID_CREDENTIALS


def test_a_folder_that_cannot_be_written_changes_nothing(installation):
    path = installation.file("alice")
    installation.follow()
    installation.execute("UPDATE account SET source_path = '/proc/alice.auth.json'")

    with pytest.raises(BadInput, match="/proc cannot be written"):
        edit(installation, "alice", new=credentials("acct-alice", "user-acct-alice"))
    with pytest.raises(BadInput, match="/proc cannot be written"):
        edit(installation, "alice", new=credentials("acct-9", "user-9"))

    assert installation.names() == ["alice"]
    assert path.exists()
    assert kinds() == [("account_added", "account folder")]


# Pausing and removing


def test_a_paused_account_is_asked_again_when_it_is_resumed(installation, codex):
    add(installation)
    account_service.pause("Alice", NOW, BY)
    account_service.pause("alice", NOW + 5, BY)
    assert installation.account("alice").status is Status.PAUSED
    assert installation.account("alice").paused_at == NOW

    account_service.resume("alice", NOW + 9, BY)
    account_service.resume("alice", NOW + 10, BY)
    assert (installation.account("alice").status, installation.account("alice").next_due_at) == (
        Status.PENDING,
        NOW + 9,
    )
    assert kinds() == [("account_added", BY), ("account_paused", BY), ("account_resumed", BY)]


@pytest.mark.parametrize(
    "act", [account_service.pause, account_service.resume, account_service.remove]
)
def test_nobody_can_be_paused_resumed_or_removed(installation, act):
    with pytest.raises(AccountNotFound, match="nobody: unknown account"):
        act("nobody", NOW, BY)


def test_removing_forgets_the_credentials_and_frees_the_name(installation, codex):
    add(installation)
    installation.ask()

    assert account_service.remove("ALICE", NOW, BY) == "alice"
    assert installation.names() == []
    assert installation.rows("SELECT count(*) FROM credential") == [(0,)]
    assert readings_of(installation, "alice") == 0
    add(installation, "alice", "acct-2", "user-2")
    assert installation.used("alice") == {}


def test_removing_a_followed_account_removes_its_file(installation):
    path = installation.file("alice")
    installation.follow()
    account_service.remove("alice", NOW, BY)

    assert not path.exists()
    installation.follow()
    assert installation.names() == []


def test_an_account_whose_file_cannot_be_removed_stays(installation):
    path = installation.file("alice")
    installation.follow()
    path.unlink()
    (path / "in the way").mkdir(parents=True)

    with pytest.raises(BadInput, match="cannot be written"):
        account_service.remove("alice", NOW, BY)
    assert installation.names() == ["alice"]


# Export


def exported(installation, tmp_path, name="alice", **how):
    file = tmp_path / "out.json"
    exporting.export(installation.services.cipher, name, file, NOW, BY, **how)
    return file


def test_an_export_holds_all_tokens_and_only_its_owner_reads_it(installation, tmp_path):
    add(installation, exp=NOW + 77)
    file = exported(installation, tmp_path)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = auth_file.read(file.read_bytes())
    assert again == credentials(exp=NOW + 77)
    assert kinds()[-1] == ("account_exported", BY)


def test_a_followed_account_is_exported_as_its_file_stands(installation, tmp_path):
    path = installation.file("alice")
    installation.follow()

    assert exported(installation, tmp_path).read_bytes() == path.read_bytes()


def test_a_followed_account_whose_file_is_gone_is_exported_as_far_as_it_is_known(
    installation, tmp_path
):
    path = installation.file("alice")
    installation.follow()
    path.unlink()

    found = auth_file.read(exported(installation, tmp_path).read_bytes())
    assert found.account_id == "acct-alice"
    assert found.refresh_token is None


def test_an_export_takes_the_place_of_an_open_file_at_once_and_privately(installation, tmp_path):
    add(installation)
    (tmp_path / "out.json").write_text("old")
    os.chmod(tmp_path / "out.json", 0o666)

    assert stat.S_IMODE(exported(installation, tmp_path, overwrite=True).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("where", ["missing/out.json", "."])
def test_an_export_that_cannot_be_written_is_told(installation, tmp_path, where):
    add(installation)

    with pytest.raises(BadInput, match="cannot be written"):
        exporting.export(installation.services.cipher, "alice", tmp_path / where, NOW, BY)


def test_an_export_with_the_wrong_key_is_told(installation, tmp_path):
    add(installation)
    installation.execute("UPDATE credential SET access_sealed = :broken", broken=b"x")

    with pytest.raises(BadInput, match="cannot be opened with the present key"):
        exported(installation, tmp_path)


def test_an_account_without_credentials_cannot_be_exported(installation, tmp_path):
    installation.raw_file("alice", b"{}")
    installation.follow()

    with pytest.raises(BadInput, match="has no stored credentials"):
        exported(installation, tmp_path)


@pytest.mark.parametrize("name", ["团" * 80, "x" * 80, "é" * 80, "団" * 79 + "x"])
def test_the_longest_names_can_be_edited_renamed_and_deleted(installation, codex, name):
    file = installation.file(name, "acct-1")
    installation.refresh()

    edit(installation, name, new=credentials("acct-1", "user-acct-1"))
    edit(installation, name, "短" * 80)
    assert not file.exists()
    assert [path.name for path in installation.accounts.iterdir()] == [f"{'短' * 80}.auth.json"]
    exporting.export(
        installation.services.cipher,
        "短" * 80,
        installation.folder / ("写" * 81 + ".json"),
        installation.now,
        BY,
    )
    account_service.remove("短" * 80, installation.now, BY)

    assert list(installation.accounts.iterdir()) == []
