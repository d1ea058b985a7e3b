"""A sign-in whose token exists in a second place, or whose key changes: nobody sends a used one."""

import json

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core import clock
from quota_web.core.errors import BadInput
from quota_web.maintenance import backup, restore, rotate_key, transfer
from quota_web.services import services
from tests.fakes import NOW
from tests.installation import OtherProcess
from tests.issuer import Turn

HAND_OVER = "--with-refresh-token"


def renewed(house):
    house.make_due()
    return house.renew_due()


@pytest.mark.usefixtures("database")
def test_after_a_change_of_the_key_sign_ins_are_renewed_and_claims_still_hold(house, issuer):
    house.sign_in("alice", 1)
    house.sign_in("bob", 2)
    issuer.plays(Turn(drop=True))
    house.installation.execute(
        "UPDATE credential SET renew_at = 1 WHERE account_id = "
        "(SELECT id FROM account WHERE name = 'bob')"
    )
    house.renew_due()
    assert house.state("bob")[0] == "unsure"
    house.paste("carol", 3)
    house.installation.execute(
        "UPDATE credential SET renewal = 'on', renew_at = 9999999999 WHERE kind = 'copy'"
    )
    kept = house.paste("carol", 3)

    rotate_key.rotate(services().cipher, NOW, "test")

    assert len(house.spares("carol")) == 1
    assert house.refresh_token("carol") == kept
    assert renewed(house) is not None
    assert issuer.is_current(house.refresh_token("alice"))
    # What was unsure before the change is tried a second time only, under its new fingerprint.
    house.make_due("bob")
    assert house.renew_due() is not None
    assert house.state("bob") == ("on", None)


def put_back(house, file):
    services().close()
    store.database.forget_troubles()
    with clock.frozen(house.installation.now):
        done = restore.restore(
            file, services().cipher, house.installation.accounts, house.installation.now, "test"
        )
    services().ready()
    return done


def backed_up(tmp_path):
    file = tmp_path / "copy.sqlite"
    backup.backup(file)
    return file


def test_what_comes_back_from_a_backup_is_not_sent_until_a_person_says_so(house, issuer, tmp_path):
    token = house.sign_in()
    file = backed_up(tmp_path)
    account_service.remove("alice", NOW, "test")
    done = put_back(house, file)

    assert (done.kept, done.not_renewed) == ((), ("alice",))
    assert house.state() == ("off", "restored")
    assert renewed(house) is None
    assert house.renew_now().outcome == "nothing_to_renew"
    assert export(house, "alice", tmp_path / "alice", HAND_OVER).exit_code == 1
    assert issuer.calls == 0

    assert house.installation.run("accounts", "renewal", "alice", "on").exit_code == 0
    assert house.refresh_token() == token
    assert renewed(house) is not None
    assert issuer.is_current(house.refresh_token())


def test_an_old_backup_after_a_renewal_leaves_the_newer_sign_in_and_brings_no_used_token_back(
    house, issuer, tmp_path
):
    for number, name in enumerate(("alice", "bob", "carol"), 1):
        house.sign_in(name, number)
    file = backed_up(tmp_path)
    for name in ("alice", "bob", "carol"):
        house.make_due(name)
        assert house.renew_due() is not None
    for name in ("alice", "bob"):
        account_service.remove(name, NOW, "test")
    # The same login under another name and id.
    newest = house.sign_in("anna", 1)
    done = put_back(house, file)

    assert (done.kept, done.not_renewed) == (("alice", "carol"), ("bob",))
    assert house.refresh_token("alice") == newest
    assert (house.state("alice"), house.state("bob")) == (("on", None), ("off", "restored"))
    # Not even a person's word sends a token of which it is known that it was used.
    refused = house.installation.run("accounts", "renewal", "bob", "on")
    assert (refused.exit_code, "was used before" in refused.stderr) == (1, True)
    for name in ("alice", "carol"):
        house.make_due(name)
        assert house.renew_due() is not None
    assert (issuer.calls, issuer.ok) == (5, 5)


def test_a_backup_that_is_newer_than_what_it_replaces_keeps_its_own_tokens(house, issuer, tmp_path):
    house.sign_in()
    old = backed_up(tmp_path)
    renewed(house)
    newest, new = house.refresh_token(), tmp_path / "new.sqlite"
    backup.backup(new)
    house.installation.execute("DELETE FROM credential")
    assert put_back(house, old).not_renewed == ("alice",)

    assert put_back(house, new).not_renewed == ("alice",)
    assert house.refresh_token() == newest
    assert house.installation.run("accounts", "renewal", "alice", "on").exit_code == 0
    assert renewed(house) is not None
    assert issuer.calls == issuer.ok == 2


def test_an_answer_that_was_lost_stays_lost_after_a_restore(house, issuer, tmp_path):
    house.sign_in()
    file = backed_up(tmp_path)
    issuer.plays(Turn(drop=True))
    renewed(house)
    assert house.state()[0] == "unsure"
    done = put_back(house, file)

    assert done.kept == ("alice",)
    assert house.state()[0] == "unsure"
    assert house.claims() == [("unsure", 1)]


def test_the_source_of_a_copy_renews_no_more(house, issuer, postgres_url):
    house.sign_in()
    with postgres_url() as url:
        transfer.copy_to(url, lambda *_: None)
        with store.database.elsewhere(url, write=False) as there:
            assert store.renewals.due(there, NOW * 2) != []

    assert house.state() == ("off", "moved")
    assert renewed(house) is None
    assert issuer.calls == 0


def test_nothing_is_copied_where_a_sign_in_was_renewed_meanwhile(house, issuer, tmp_path):
    house.sign_in()
    house.make_due()

    def renew_once(table, *_):
        if table.endswith("compared") and not issuer.calls:
            with OtherProcess(house.installation, house.renew_due):
                pass

    file = tmp_path / "other.sqlite"
    with pytest.raises(BadInput, match="renewed meanwhile"):
        transfer.copy_to(f"sqlite:///{file}", renew_once)

    assert (issuer.calls, house.state()) == (1, ("on", None))
    assert issuer.is_current(house.refresh_token())
    with store.database.elsewhere(f"sqlite:///{file}", write=False) as there:
        assert store.credentials.list_all(there) == []
    transfer.copy_to(f"sqlite:///{file}", lambda *_: None)
    assert house.state() == ("off", "moved")


def export(house, name, file, *options):
    return house.installation.run("accounts", "export", name, str(file), *options)


def test_an_export_keeps_the_refresh_token_that_is_renewed_here(house, tmp_path):
    token = house.sign_in("alice", 1)
    copy = house.paste("bob", 2)
    ran_of_alice, ran_of_bob = (export(house, name, tmp_path / name) for name in ("alice", "bob"))
    assert (ran_of_alice.exit_code, ran_of_bob.exit_code) == (0, 0)
    assert "--with-refresh-token hands it over" in ran_of_alice.stderr
    assert token not in (tmp_path / "alice").read_text()
    assert json.loads((tmp_path / "bob").read_text())["tokens"]["refresh_token"] == copy
    assert house.state("alice") == ("on", None)


def test_a_refresh_token_that_may_be_in_use_stays_here_also_where_nothing_renews_it(
    house, tmp_path
):
    token = house.sign_in()
    house.installation.run("accounts", "renewal", "alice", "off")

    assert export(house, "alice", tmp_path / "alice").exit_code == 0
    assert token not in (tmp_path / "alice").read_text()


@pytest.mark.usefixtures("database")
def test_a_refresh_token_is_handed_over_once_and_never_sent_from_here_again(
    house, issuer, tmp_path
):
    token = house.sign_in()
    no_folder = export(house, "alice", tmp_path / "none" / "alice", HAND_OVER)
    assert (no_folder.exit_code, house.state()) == (1, ("on", None))
    (tmp_path / "alice").mkdir()
    is_folder = export(house, "alice", tmp_path / "alice", HAND_OVER)
    assert (is_folder.exit_code, house.state()) == (1, ("on", None))

    done = export(house, "alice", tmp_path / "file", HAND_OVER)

    assert done.exit_code == 0
    assert json.loads((tmp_path / "file").read_text())["tokens"]["refresh_token"] == token
    assert house.state() == ("off", "handed_over")
    assert renewed(house) is None
    assert house.renew_now().outcome == "nothing_to_renew"
    again = export(house, "alice", tmp_path / "second", HAND_OVER)
    assert (again.exit_code, (tmp_path / "second").exists()) == (1, False)
    assert issuer.calls == 0


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (None, "alice: is being renewed; try again in a minute"),
        ("unsure", "alice: its refresh token was used before; sign in again"),
    ],
)
def test_a_refresh_token_that_was_sent_is_not_handed_over(house, tmp_path, outcome, told):
    house.sign_in()
    house.installation.execute(
        "INSERT INTO renewal (refresh_fp, account_id, claim_id, started_at, tries, outcome) "
        "SELECT refresh_fp, account_id, 7, 1, 1, :outcome FROM credential",
        outcome=outcome,
    )
    refused = export(house, "alice", tmp_path / "file", HAND_OVER)

    assert (refused.exit_code, told in refused.stderr) == (1, True)
    assert house.state() == ("on", None)
    assert list(tmp_path.glob("*file*")) == []


def test_an_account_without_a_refresh_token_has_none_to_hand_over(house, tmp_path):
    house.paste("bob", 2)
    house.installation.execute("UPDATE credential SET refresh_sealed = NULL, refresh_fp = NULL")
    refused = export(house, "bob", tmp_path / "bob", HAND_OVER)

    assert (refused.exit_code, "bob: has no refresh token here" in refused.stderr) == (1, True)
