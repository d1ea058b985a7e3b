"""A sign-in whose token exists in a second place, or whose key changes: nobody sends a used one."""

import json

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.maintenance import backup, restore, rotate_key, transfer
from quota_web.services import services
from tests.fakes import NOW
from tests.issuer import Turn


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


def test_what_comes_back_from_a_backup_is_not_sent_until_a_person_says_so(house, issuer, tmp_path):
    house.sign_in()
    file = tmp_path / "copy.sqlite"
    backup.backup(file)
    renewed(house)
    services().close()
    store.database.forget_troubles()
    with clock.frozen(NOW):
        restore.restore(file, services().cipher, house.installation.accounts, NOW, "test")
    services().ready()

    assert house.state() == ("off", "restored")
    assert renewed(house) is None
    assert house.renew_now().outcome == "nothing_to_renew"
    assert issuer.calls == 1


def test_the_source_of_a_copy_renews_no_more(house, issuer, postgres_url):
    house.sign_in()
    with postgres_url() as url:
        transfer.copy_to(url, lambda *_: None)
        with store.database.elsewhere(url, write=False) as there:
            assert store.renewals.due(there, NOW * 2) != []

    assert house.state() == ("off", "moved")
    assert renewed(house) is None
    assert issuer.calls == 0


def test_an_export_keeps_the_refresh_token_that_is_renewed_here(house, tmp_path):
    token = house.sign_in("alice", 1)
    copy = house.paste("bob", 2)
    for name in ("alice", "bob"):
        ran = house.installation.run("accounts", "export", name, str(tmp_path / name))
        assert ran.exit_code == 0

    assert token not in (tmp_path / "alice").read_text()
    assert json.loads((tmp_path / "bob").read_text())["tokens"]["refresh_token"] == copy
    assert house.state("alice") == ("on", None)
