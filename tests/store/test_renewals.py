"""The claims on refresh tokens: one process sends a token, once, whatever happens to the key or to
the process.
"""

import pytest

from quota_web import store
from quota_web.core.renewal_policy import LOST_AFTER_S, REST_S, TURN_S, Renewal
from tests import logins
from tests.fakes import NOW

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def held(installation):
    """An account whose pasted token may be renewed: its id and its token's fingerprints."""
    logins.managed(installation)
    installation.execute("UPDATE credential SET renewal = 'on', renew_at = 1")
    found = logins.stored(installation, "alice")
    prints = installation.services.cipher.fingerprints(found.refresh_token)
    return installation.account("alice").id, prints


def claim(held, claim_id=1, now=NOW, prints=None):
    with store.database.transaction() as tx:
        return store.renewals.claim(tx, prints or held[1], held[0], claim_id, now)


def of_claim(tx, claim_id):
    found = store.renewals.of_claim(tx, claim_id)
    assert found is not None
    return found


def rows(installation):
    return installation.rows("SELECT claim_id, tries, outcome, ended_at FROM renewal")


def test_a_token_is_claimed_once(installation, held):
    assert [claim(held, 1), claim(held, 2)] == [True, False]
    assert rows(installation) == [(1, 1, None, None)]


@pytest.mark.parametrize(
    "change", ["renewal = 'off'", "kind = 'file'", "refresh_fp = 'another'", "renewal = 'dead'"]
)
def test_only_what_may_be_renewed_is_claimed(installation, held, change):
    installation.execute(f"UPDATE credential SET {change}")

    assert not claim(held)
    assert rows(installation) == []


def test_the_same_token_under_two_names_is_claimed_once(installation, held):
    columns = "access_sealed, access_fp, refresh_fp, fedramp, key_id, version, updated_at"
    with store.database.transaction() as tx:
        other = store.accounts.add(tx, "bob", "managed", NOW)
    installation.execute(
        f"INSERT INTO credential (account_id, renewal, renew_at, {columns}) "
        f"SELECT {other}, 'on', 1, {columns} FROM credential"
    )

    assert claim(held, 1)
    assert not claim((other, held[1]), 2)


def test_a_token_that_was_claimed_with_another_key_is_not_claimed_again(installation, held):
    claim(held)
    account_id, [old] = held
    with store.database.transaction() as tx:
        store.renewals.set_fingerprint(tx, account_id, old, "new")

    assert not claim(held, 2, prints=["new", old])
    assert installation.rows("SELECT refresh_fp FROM renewal") == [("new",)]
    assert installation.rows("SELECT refresh_fp FROM credential") == [("new",)]


def test_a_claim_that_was_not_taken_can_be_made_again(installation, held):
    claim(held)
    with store.database.transaction() as tx:
        found = of_claim(tx, 1)
        store.renewals.give_back(tx, found, NOW)

    assert claim(held, 2)


def test_a_lost_token_is_tried_a_second_time_and_no_third(installation, held):
    account_id, prints = held
    claim(held)
    installation.execute("UPDATE credential SET renewal = 'unsure'")

    def again(claim_id):
        with store.database.transaction() as tx:
            return store.renewals.claim_again(tx, prints, account_id, claim_id, NOW + 9)

    # While the first one is under way nobody repeats it.
    assert not again(2)
    for expected in ([True, False], [False, False]):
        with store.database.transaction() as tx:
            one = store.renewals.of_tokens(tx, prints)
            assert one is not None
            store.renewals.end(tx, one.claim_id, Renewal.UNSURE, NOW, "timeout")
        assert [again(3), again(4)] == expected
    assert not claim(held, 5)


def test_a_second_try_that_was_not_taken_is_as_if_it_had_not_been(installation, held):
    account_id, prints = held
    claim(held)
    with store.database.transaction() as tx:
        store.renewals.end(tx, 1, Renewal.UNSURE, NOW, None)
    installation.execute("UPDATE credential SET renewal = 'unsure'")
    with store.database.transaction() as tx:
        assert store.renewals.claim_again(tx, prints, account_id, 2, NOW + 5)
        store.renewals.give_back(tx, of_claim(tx, 2), NOW + 9)

    assert rows(installation) == [(2, 1, "unsure", NOW + 9)]


def test_a_claim_without_an_outcome_is_lost_after_a_minute_or_from_a_clock_that_ran_ahead(
    installation, held
):
    claim(held)

    def lost(now):
        with store.database.reading() as conn:
            return [one.claim_id for one in store.renewals.lost(conn, now)]

    assert (lost(NOW), lost(NOW + LOST_AFTER_S - 1)) == ([], [])
    assert (lost(NOW + LOST_AFTER_S), lost(NOW - 999)) == ([1], [1])


def test_one_renewal_a_minute_over_all_processes(installation):
    def turn(now):
        with store.database.transaction() as tx:
            return store.renewals.take_turn(tx, now)

    assert [turn(NOW), turn(NOW), turn(NOW + TURN_S - 1), turn(NOW + TURN_S)] == [
        True,
        False,
        False,
        True,
    ]
    with store.database.transaction() as tx:
        store.renewals.wait_until(tx, NOW + REST_S)
        store.renewals.wait_until(tx, NOW + 1)
    assert not turn(NOW + REST_S - 1)
    # What lies further ahead than any rest is left from a clock that was put back.
    assert turn(NOW - 999)


def test_what_is_due_comes_in_the_order_of_its_end(installation, held):
    account_id, _ = held

    def due(now=NOW):
        with store.database.reading() as conn:
            return store.renewals.due(conn, now)

    assert (due(), due(0)) == ([account_id], [])
    for change in ("renewal = 'off'", "renewal = 'on', renew_at = NULL", "kind = 'file'"):
        installation.execute(f"UPDATE credential SET {change}")
        assert due() == []
    installation.execute("UPDATE credential SET kind = 'own', renew_at = 1")
    assert due() == [account_id]
    installation.execute("UPDATE account SET paused_at = 1")
    assert due() == []


def test_a_used_token_is_remembered_after_its_account_and_forgotten_after_long(installation, held):
    claim(held)
    with store.database.transaction() as tx:
        store.renewals.end(tx, 1, "renewed", NOW, None)
        assert store.renewals.forget(tx, NOW + 1) == 0
        store.credentials.drop(tx, [held[0]])
        assert store.renewals.forget(tx, NOW) == 0
        assert store.renewals.forget(tx, NOW + 1) == 1
