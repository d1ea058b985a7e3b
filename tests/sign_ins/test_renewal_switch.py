"""A person's word switches the renewal of a copy on, and only of one whose token was not used."""

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.core.errors import BadInput
from quota_web.services import services
from quota_web.sign_ins import renewal, renewal_switch
from tests.fakes import NOW
from tests.issuer import CLIENT_ID, DAY, Turn

pytestmark = pytest.mark.usefixtures("database")


def switch_on(house, client_id=CLIENT_ID):
    now = house.installation.now
    return renewal_switch.switch_on(services().cipher, client_id, "alice", now, "test")


def test_a_copy_is_renewed_after_a_persons_word(house, issuer):
    house.paste()
    assert switch_on(house) == "alice"
    assert house.state() == ("on", None)

    house.make_due()
    assert house.renew_due() is not None

    assert issuer.is_current(house.refresh_token())
    assert house.held().kind == "copy"
    assert house.kinds() == ["credential.renewal_on", "credential.renewed"]


def test_switched_off_nothing_is_sent(house, issuer):
    house.sign_in()
    renewal_switch.switch_off("alice", NOW, "test")
    house.installation.now = NOW + 8 * DAY

    assert house.renew_due() is None
    assert (house.state(), house.renew_now().outcome) == (("off", None), "nothing_to_renew")
    assert issuer.calls == 0
    # Off and on again, it goes on.
    switch_on(house)
    assert house.renew_due() is not None


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_is_switched_off_while_it_is_renewed_keeps_the_new_tokens(house, issuer, is_lost):
    house.sign_in()
    issuer.plays(Turn(status=503 if is_lost else None))
    house.make_due()
    renewals = house.renewals()
    client = renewals.context.client()
    real = client.renew

    def renew(*arguments):
        answer = real(*arguments)
        renewal_switch.switch_off("alice", NOW, "test")
        return answer

    client.renew = renew
    house.renew_due()

    assert house.state() == ("off", None)
    assert house.claims() == [("unsure" if is_lost else "renewed", 1)]
    assert issuer.is_current(house.refresh_token())


def test_a_files_token_and_none_at_all_are_refused(house, installation):
    installation.file("alice")
    installation.follow()
    with pytest.raises(BadInput, match="has no refresh token here"):
        switch_on(house)


def test_another_programs_token_is_refused(house, installation):
    house.paste()
    installation.execute("UPDATE credential SET client_id = 'app_other'")

    with pytest.raises(BadInput, match="belongs to another program"):
        switch_on(house)


def test_a_used_token_is_refused(house, issuer):
    house.paste()
    switch_on(house)
    old = house.tokens()
    house.make_due()
    house.renew_due()
    account_service.add(services().cipher, "alice", old, house.installation.now, "test")

    with pytest.raises(BadInput, match="was used before"):
        switch_on(house)


def test_an_unsure_token_that_is_switched_off_and_on_is_still_unsure(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(drop=True))
    house.renew_due()
    renewal_switch.switch_off("alice", NOW, "test")
    switch_on(house)

    assert house.held().renewal == "unsure"
    assert house.renew_due() is None
    assert issuer.calls == 1


def test_a_renewal_that_is_switched_off_while_its_process_dies_stays_off(house, issuer):
    house.sign_in()
    found = renewal.held(services().cipher, house.held().account_id)
    assert found is not None
    with store.database.transaction() as tx:
        at = house.installation.now
        assert store.renewals.claim(tx, found.fingerprints, found.account.id, 7, at)
    renewal_switch.switch_off("alice", at, "test")

    house.renew_due(61)

    assert house.state() == ("off", None)
    assert house.claims() == [("unsure", 1)]
    house.installation.now = (house.held().access_expires_at or 0) - 3_600
    assert house.renew_due() is None
    assert issuer.calls == 0
