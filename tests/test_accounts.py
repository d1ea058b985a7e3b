"""Acts on accounts: add, replace, rename, pause, resume, remove, export; histories never mix."""

import json
import os
import stat

import pytest

from quota_web import accounts
from quota_web.codex import auth_file
from quota_web.errors import AccountExists, AccountNotFound, BadInput
from quota_web.quota import Status
from quota_web.store import accounts as store
from quota_web.store import engine, events
from tests.fakes import NOW, auth_document, make_jwt

pytestmark = pytest.mark.usefixtures("database")

BY = "a person"


def credentials(account_id="acct-1", user_id="user-1", **token):
    access = make_jwt(account_id, user_id=user_id, **token)
    return auth_file.parse(auth_document(account_id, access_token=access, id_token=make_jwt(account_id, user_id=user_id, email="a@example.com")))


def add(house, name="alice", *args, **token):
    return accounts.add(house.world.sealer, name, credentials(*args, **token), house.now, BY)


def edit(house, original, name=None, new=None):
    return accounts.edit(house.world.sealer, original, name or original, new, house.now, BY)


def sealed_of(found):
    with engine.reading() as conn:
        return store.credentials(conn, [found.id])[found.id]


def kinds():
    with engine.reading() as conn:
        return [(e.kind, e.actor) for e in reversed(events.newest(conn))]


def readings_of(house, name):
    return house.rows("SELECT count(*) FROM snapshot WHERE account = :name", name=name)[0][0]


def test_an_added_account_is_managed_sealed_and_due_at_once(house):
    saved = add(house)

    found = house.account("alice")
    assert (saved.name, saved.is_new, saved.archived_as) == ("alice", True, None)
    assert (found.origin, found.status, found.next_due_at, found.email) == ("managed", Status.PENDING, NOW, "a@example.com")
    assert (found.chatgpt_account_id, found.chatgpt_user_id) == ("acct-1", "user-1")
    [(access, refresh, identity)] = house.rows("SELECT access_sealed, refresh_sealed, id_sealed FROM credential")
    clear = accounts.opened(house.world.sealer, found, sealed_of(found))
    for token, sealed in ((clear.access_token, access), (clear.refresh_token, refresh), (clear.id_token, identity)):
        assert token is not None
        # Not just any three letters: sealed bytes are letters, too, and hold each of them sooner or later.
        assert token.reveal()[:12].encode() not in bytes(sealed)
    assert kinds() == [("account_added", BY)]


def test_new_credentials_of_the_same_login_go_on_with_its_history(house, codex):
    add(house, "alice", "acct-1")
    house.ask()
    again = add(house, "ALICE", "acct-1", exp=NOW + 99)

    assert (again.name, again.is_new) == ("alice", False)
    assert house.account("alice").status is Status.PENDING
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.rows("SELECT version, access_expires_at FROM credential") == [(2, NOW + 99)]


def test_another_login_cannot_take_the_name(house):
    add(house, "alice", "acct-1")

    with pytest.raises(AccountExists, match="name already taken by another login"):
        add(house, "Alice", "acct-2")
    assert house.account("alice").chatgpt_account_id == "acct-1"


def test_another_member_of_the_same_workspace_is_another_login(house):
    add(house, "alice", "acct-1", "user-1")

    with pytest.raises(AccountExists):
        add(house, "alice", "acct-1", "user-2")


def test_a_token_that_names_no_user_speaks_against_nobody(house):
    add(house, "alice", "acct-1", "user-1")

    assert not add(house, "alice", "acct-1", None).is_new
    assert house.account("alice").chatgpt_user_id == "user-1"


def test_a_bad_name_is_refused_at_its_field(house):
    with pytest.raises(BadInput) as refused:
        add(house, "../alice")
    assert refused.value.field == "name"


# Editing


def test_renaming_keeps_the_history(house, codex):
    add(house)
    house.ask()
    edit(house, "alice", "Alice Two")

    assert house.names() == ["Alice Two"]
    assert house.account("alice two").status is Status.OK
    assert readings_of(house, "Alice Two") == 2


def test_a_name_can_change_its_case(house):
    add(house)
    edit(house, "alice", "Alice")

    assert house.names() == ["Alice"]


def test_renaming_onto_another_account_is_refused(house):
    add(house)
    add(house, "bob", "acct-2", "user-2")

    with pytest.raises(AccountExists):
        edit(house, "alice", "BOB")
    assert house.names() == ["alice", "bob"]


def test_editing_nobody_is_told(house):
    with pytest.raises(AccountNotFound):
        edit(house, "nobody")


def test_another_login_under_the_same_name_starts_a_new_history(house, codex):
    add(house)
    house.ask()
    saved = edit(house, "alice", new=credentials("acct-2", "user-2"))

    assert (saved.name, saved.is_new, saved.archived_as) == ("alice", True, "alice (until 2026-11-21)")
    old = house.account("alice (until 2026-11-21)")
    assert (old.chatgpt_account_id, old.status, old.origin) == ("acct-1", Status.PAUSED, "managed")
    assert readings_of(house, old.name) == 2
    assert house.account("alice").chatgpt_account_id == "acct-2"
    assert house.used("alice") == {}


def test_a_second_login_on_the_same_day_gets_a_number(house):
    add(house)
    for number in (2, 3):
        edit(house, "alice", new=credentials(f"acct-{number}", f"user-{number}"))

    assert house.names() == ["alice", "alice (until 2026-11-21)", "alice (until 2026-11-21, 2)"]


def test_a_long_name_is_cut_where_it_moves_aside(house):
    add(house, "x" * 80)
    saved = edit(house, "x" * 80, new=credentials("acct-2", "user-2"))

    assert saved.archived_as == "x" * 61 + " (until 2026-11-21)"


def test_renaming_a_followed_account_renames_its_file(house, codex):
    old = house.file("alice")
    house.refresh()
    before = old.read_bytes()
    edit(house, "alice", "bob")

    assert not old.exists()
    assert (house.accounts / "bob.auth.json").read_bytes() == before
    house.follow()
    assert house.names() == ["bob"]
    assert house.account("bob").status is Status.OK
    assert house.used("bob") == {"five_hour": 12, "weekly": 40}


def test_new_credentials_of_a_followed_account_go_into_its_file(house, codex):
    path = house.file("alice", "acct-1", user_id="user-1")
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "unknown": {"kept": True}}))
    house.follow()
    edit(house, "alice", new=credentials("acct-1", "user-1", exp=NOW + 5_000))

    written = json.loads(path.read_bytes())
    assert written["unknown"] == {"kept": True}
    assert auth_file.parse(written).expires_at == NOW + 5_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    house.ask()
    house.follow()
    assert house.account("alice").status is Status.OK
    assert house.rows("SELECT refresh_sealed FROM credential") == [(None,)]


def test_a_symbolic_links_target_is_written_not_the_link(house, tmp_path):
    target = house.file("alice", "acct-1", user_id="user-1").rename(tmp_path / "elsewhere.json")
    link = house.accounts / "alice.auth.json"
    link.symlink_to(target)
    house.follow()
    edit(house, "alice", new=credentials("acct-1", "user-1", exp=NOW + 5_000))

    assert link.is_symlink()
    assert auth_file.read(target.read_bytes()).expires_at == NOW + 5_000


def test_a_file_in_the_way_of_a_new_name_is_not_overwritten(house):
    house.file("alice")
    house.follow()
    other = house.file("bob", "acct-other")

    with pytest.raises(BadInput, match=r"already a file bob\.auth\.json"):
        edit(house, "alice", "bob")
    assert house.names() == ["alice"]
    assert b"acct-other" in other.read_bytes()


def test_an_account_whose_file_is_gone_can_be_renamed(house):
    path = house.file("alice")
    house.follow()
    path.unlink()
    house.follow()
    edit(house, "alice", "bob")

    assert house.names() == ["bob"]
    house.follow()
    assert house.account("bob").status is Status.INVALID_CREDENTIALS


def test_a_folder_that_cannot_be_written_changes_nothing(house):
    path = house.file("alice")
    house.follow()
    house.execute("UPDATE account SET source_path = '/proc/alice.auth.json'")

    with pytest.raises(BadInput, match="/proc cannot be written"):
        edit(house, "alice", new=credentials("acct-alice", "user-acct-alice"))
    with pytest.raises(BadInput, match="/proc cannot be written"):
        edit(house, "alice", new=credentials("acct-9", "user-9"))

    assert house.names() == ["alice"]
    assert path.exists()
    assert kinds() == [("account_added", "account folder")]


# Pausing and removing


def test_a_paused_account_is_asked_again_when_it_is_resumed(house, codex):
    add(house)
    accounts.pause("Alice", NOW, BY)
    accounts.pause("alice", NOW + 5, BY)
    assert house.account("alice").status is Status.PAUSED
    assert house.account("alice").paused_at == NOW

    accounts.resume("alice", NOW + 9, BY)
    accounts.resume("alice", NOW + 10, BY)
    assert (house.account("alice").status, house.account("alice").next_due_at) == (Status.PENDING, NOW + 9)
    assert kinds() == [("account_added", BY), ("account_paused", BY), ("account_resumed", BY)]


@pytest.mark.parametrize("act", [accounts.pause, accounts.resume, accounts.remove])
def test_nobody_can_be_paused_resumed_or_removed(house, act):
    with pytest.raises(AccountNotFound, match="nobody: unknown account"):
        act("nobody", NOW, BY)


def test_removing_forgets_the_credentials_and_frees_the_name(house, codex):
    add(house)
    house.ask()

    assert accounts.remove("ALICE", NOW, BY) == "alice"
    assert house.names() == []
    assert house.rows("SELECT count(*) FROM credential") == [(0,)]
    assert readings_of(house, "alice") == 0
    add(house, "alice", "acct-2", "user-2")
    assert house.used("alice") == {}


def test_removing_a_followed_account_removes_its_file(house):
    path = house.file("alice")
    house.follow()
    accounts.remove("alice", NOW, BY)

    assert not path.exists()
    house.follow()
    assert house.names() == []


def test_an_account_whose_file_cannot_be_removed_stays(house):
    path = house.file("alice")
    house.follow()
    path.unlink()
    (path / "in the way").mkdir(parents=True)

    with pytest.raises(BadInput, match="cannot be written"):
        accounts.remove("alice", NOW, BY)
    assert house.names() == ["alice"]


# Export


def exported(house, tmp_path, name="alice", **how):
    file = tmp_path / "out.json"
    accounts.export(house.world.sealer, name, file, NOW, BY, **how)
    return file


def test_an_export_holds_all_tokens_and_only_its_owner_reads_it(house, tmp_path):
    add(house, exp=NOW + 77)
    file = exported(house, tmp_path)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = auth_file.read(file.read_bytes())
    assert again == credentials(exp=NOW + 77)
    assert kinds()[-1] == ("account_exported", BY)


def test_a_followed_account_is_exported_as_its_file_stands(house, tmp_path):
    path = house.file("alice")
    house.follow()

    assert exported(house, tmp_path).read_bytes() == path.read_bytes()


def test_a_followed_account_whose_file_is_gone_is_exported_as_far_as_it_is_known(house, tmp_path):
    path = house.file("alice")
    house.follow()
    path.unlink()

    found = auth_file.read(exported(house, tmp_path).read_bytes())
    assert found.account_id == "acct-alice"
    assert found.refresh_token is None


def test_an_export_takes_the_place_of_an_open_file_at_once_and_privately(house, tmp_path):
    add(house)
    (tmp_path / "out.json").write_text("old")
    os.chmod(tmp_path / "out.json", 0o666)

    assert stat.S_IMODE(exported(house, tmp_path, overwrite=True).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("where", ["missing/out.json", "."])
def test_an_export_that_cannot_be_written_is_told(house, tmp_path, where):
    add(house)

    with pytest.raises(BadInput, match="cannot be written"):
        accounts.export(house.world.sealer, "alice", tmp_path / where, NOW, BY)


def test_an_export_with_the_wrong_key_is_told(house, tmp_path):
    add(house)
    house.execute("UPDATE credential SET access_sealed = :broken", broken=b"x")

    with pytest.raises(BadInput, match="cannot be opened with the present key"):
        exported(house, tmp_path)


def test_an_account_without_credentials_cannot_be_exported(house, tmp_path):
    house.raw_file("alice", b"{}")
    house.follow()

    with pytest.raises(BadInput, match="has no stored credentials"):
        exported(house, tmp_path)


@pytest.mark.parametrize("name", ["团" * 80, "x" * 80, "é" * 80, "団" * 79 + "x"])
def test_the_longest_names_can_be_edited_renamed_and_deleted(house, codex, name):
    file = house.file(name, "acct-1")
    house.refresh()

    edit(house, name, new=credentials("acct-1", "user-acct-1"))
    edit(house, name, "短" * 80)
    assert not file.exists()
    assert [path.name for path in house.accounts.iterdir()] == [f"{'短' * 80}.auth.json"]
    accounts.export(house.world.sealer, "短" * 80, house.folder / ("写" * 81 + ".json"), house.now, BY)
    accounts.remove("短" * 80, house.now, BY)

    assert list(house.accounts.iterdir()) == []
