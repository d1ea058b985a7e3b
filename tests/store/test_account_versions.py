"""An account's version grows with everything that is known of it, and with nothing else."""

from dataclasses import replace

import pytest

from quota_web import store
from quota_web.core.faults import Fault
from quota_web.core.quota import Facts, Identity, Reading, Snapshot
from quota_web.maintenance import rebuild
from quota_web.store.recording import Outcome
from tests.fakes import NOW

pytestmark = pytest.mark.usefixtures("database")

CLAIM = 7


@pytest.fixture
def accounts(installation):
    with store.database.transaction() as tx:
        return [
            store.accounts.add(tx, name, store.accounts.MANAGED, NOW) for name in ("alice", "bob")
        ]


def versions(installation):
    return dict(installation.rows("SELECT name, version FROM account WHERE deleted_at IS NULL"))


def answered(tx, account_id, fault=None):
    """What a refresh writes of one answer."""
    store.claims.take(tx, [account_id], CLAIM, NOW, 150)
    found = store.accounts.get_by_ids(tx, [account_id])[account_id]
    measured = Snapshot(
        (Reading("five_hour", 40, NOW + 60, 18_000),), Facts(plan="plus"), Identity()
    )
    outcome = Outcome(found, NOW, None if fault else measured, fault, 9, 0, 3_600, NOW + 3_600)
    known = store.windows.windows(tx, [account_id]), store.windows.facts(tx, [account_id])
    store.recording.record(tx, [outcome], CLAIM, *known)


@pytest.mark.parametrize(
    "change",
    [
        answered,
        lambda tx, account_id: answered(tx, account_id, Fault("http", {"http_status": 500})),
        lambda tx, account_id: store.accounts.rename(tx, account_id, "carol"),
        lambda tx, account_id: store.accounts.update_account(tx, account_id, paused_at=NOW),
        lambda tx, account_id: store.accounts.set_fault(tx, account_id, None),
        store.accounts.bump_version,
    ],
)
def test_a_version_grows_with_what_is_known_of_its_account_alone(installation, accounts, change):
    before = versions(installation)

    with store.database.transaction() as tx:
        change(tx, accounts[0])

    after = versions(installation)
    assert after["bob"] == before["bob"]
    assert max(after.get("alice", 0), after.get("carol", 0)) > before["alice"]


def test_a_claim_changes_no_version(installation, accounts):
    before = versions(installation)

    with store.database.transaction() as tx:
        store.claims.take(tx, accounts, CLAIM, NOW, 150)
        store.claims.renew(tx, CLAIM, NOW + 1)
        store.claims.release(tx, CLAIM)

    assert versions(installation) == before


def test_a_version_grows_where_the_history_is_made_anew(installation, accounts):
    with store.database.transaction() as tx:
        answered(tx, accounts[0])
    before = versions(installation)

    rebuild.rebuild(NOW, "test", lambda done, total: None)

    after = versions(installation)
    assert (after["alice"] > before["alice"], after["bob"]) == (True, before["bob"])


def test_the_history_of_a_deleted_account_is_made_anew_as_well(installation, accounts):
    with store.database.transaction() as tx:
        answered(tx, accounts[0])
        store.accounts.mark_deleted(tx, accounts[0], NOW)
    installation.execute("UPDATE limit_window SET used_percent = 99")

    assert rebuild.rebuild(NOW, "test", lambda done, total: None).corrected == 1


def test_a_read_account_carries_its_version(installation, accounts):
    with store.database.transaction() as tx:
        found = store.accounts.get_by_name(tx, "alice")
        store.accounts.bump_version(tx, accounts[0])
        again = store.accounts.get_by_name(tx, "alice")

    assert again == replace(found, version=found.version + 1)
