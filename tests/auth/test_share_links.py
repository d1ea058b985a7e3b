"""Share links: made once, known by their hash, limited, revoked."""

import pytest

from quota_web import store
from quota_web.auth import share_links
from quota_web.auth.share_links import LinkKind
from quota_web.core import clock
from quota_web.core.errors import BadInput, Outdated
from quota_web.store.accounts import MANAGED, Scope
from tests.browser import audit, make_app
from tests.fakes import NOW

DAY = 86_400


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        with store.database.transaction() as conn:
            store.accounts.add(conn, "alice", MANAGED, NOW)
        yield app


def create(account: str = "", with_names: bool = False, days: str = "", kind: str = "calendar"):
    return share_links.create(Scope(), kind, account, with_names, days, NOW, "test").reveal()


def find(secret: str, now: int = NOW):
    return share_links.find(secret, LinkKind.CALENDAR, now)


def test_a_link_is_known_by_its_secret_which_is_stored_as_a_hash(app, instance_dir):
    secret = create("ALICE", with_names=True, days="30")

    found = find(secret)
    assert found is not None
    assert (found.kind, found.account_name, found.with_names) == ("calendar", "alice", True)
    assert (found.created_at, found.expires_at) == (NOW, NOW + 30 * DAY)
    assert len(secret) == 43
    assert secret.encode() not in b"".join(
        file.read_bytes() for file in instance_dir.glob("quota.sqlite*")
    )
    assert audit()[0] == "share_link_created"


@pytest.mark.parametrize("other", ["", "x", "A" * 43, "é" * 43, "A" * 100_000])
def test_any_other_secret_opens_nothing(app, other):
    create()

    assert find(other) is None


def test_a_link_of_another_kind_opens_no_calendar(app):
    secret = create()
    with store.database.transaction() as conn:
        conn.execute(store.models.share_link.update().values(kind="board"))

    assert find(secret) is None


def test_a_link_ends_when_it_expires_when_it_is_revoked_and_with_its_account(app):
    short, revoked, of_alice = create(days="1"), create(), create("alice")
    [_, second, _] = share_links.listed()

    share_links.revoke(second.id, NOW, "test")
    assert audit()[0] == "share_link_revoked"
    with store.database.transaction() as conn:
        alice = store.accounts.get_by_name(conn, "alice")
        store.accounts.update_account(conn, alice.id, deleted_at=NOW, name_key=None)

    assert find(short, NOW + DAY - 1) is not None
    assert find(short, NOW + DAY) is None
    assert find(revoked) is None
    assert find(of_alice) is None
    assert [link.account_id for link in share_links.listed()] == [None]


def test_revoking_twice_says_that_it_has_changed(app):
    create()
    [link] = share_links.listed()
    share_links.revoke(link.id, NOW, "test")

    with pytest.raises(Outdated):
        share_links.revoke(link.id, NOW, "test")


@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "x", "9" * 30, "²"])
def test_a_number_of_days_that_is_none_is_refused(app, days):
    with pytest.raises(BadInput, match="from 1 to 3,650"):
        create(days=days)
    assert share_links.listed() == []


@pytest.mark.parametrize(
    ("wrong", "field"), [({"account": "bob"}, "share_account"), ({"kind": "keys"}, "share_kind")]
)
def test_what_cannot_be_shared_is_refused(app, wrong, field):
    with pytest.raises(BadInput) as refused:
        create(**wrong)

    assert refused.value.field == field
    assert share_links.listed() == []


def test_the_last_use_is_noted_to_the_hour_and_only_where_something_was_shown(app):
    secret, late = create(), create(days="1")

    def used() -> list[int | None]:
        return [link.last_used_at for link in share_links.listed()]

    assert used() == [None, None]
    find(secret)
    find(secret, NOW + 3_599)
    find(late, NOW + 2 * DAY)
    share_links.find(secret, LinkKind.BADGE, NOW + 3_600)
    assert used() == [NOW, None]
    find(secret, NOW + 3_600)
    assert used() == [NOW + 3_600, None]
