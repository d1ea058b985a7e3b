"""Queries on API tokens, failed sign-ins and stored settings, against a real database."""

import pytest
from sqlalchemy.exc import IntegrityError

from quota_web import store
from quota_web.store.auth import PASSWORD, SETUP_CODE, Token
from tests.browser import first_start
from tests.fakes import NOW


@pytest.fixture
def conn(instance_dir, database):
    app = first_start(instance_dir, **database)
    with app.app_context(), store.database.transaction() as conn:
        yield conn


def test_setting_is_stored_replaced_and_dropped(conn):
    assert store.auth.setting_of(conn, PASSWORD) is None

    store.auth.set_setting(conn, PASSWORD, "one")
    store.auth.set_setting(conn, PASSWORD, "two")

    assert store.auth.setting_of(conn, PASSWORD) == "two"
    assert store.auth.drop_setting(conn, PASSWORD) is True
    assert store.auth.setting_of(conn, PASSWORD) is None


def test_dropping_a_setting_that_is_not_there_says_so(conn):
    assert store.auth.drop_setting(conn, SETUP_CODE) is False


def test_token_is_found_by_its_hash_and_by_its_name(conn):
    store.auth.add_token(conn, "prometheus", "a" * 64, True, NOW)

    found = store.auth.token_by_hash(conn, "a" * 64)

    assert found is not None
    assert found == Token(found.id, "prometheus", True, NOW, None)
    assert store.auth.token_by_name(conn, "prometheus") == found
    assert store.auth.token_by_hash(conn, "b" * 64) is None
    assert store.auth.token_by_name(conn, "Prometheus") is None


def test_tokens_are_listed_by_name_whatever_the_case(conn):
    for number, name in enumerate(("beta", "Alpha", "alpha2")):
        store.auth.add_token(conn, name, f"{number}" * 64, False, NOW)

    assert [t.name for t in store.auth.tokens(conn)] == ["Alpha", "alpha2", "beta"]


def test_two_tokens_of_one_name_or_hash_are_refused(conn):
    store.auth.add_token(conn, "one", "a" * 64, False, NOW)

    with pytest.raises(IntegrityError), conn.begin_nested():
        store.auth.add_token(conn, "one", "b" * 64, False, NOW)
    with pytest.raises(IntegrityError), conn.begin_nested():
        store.auth.add_token(conn, "two", "a" * 64, False, NOW)


def test_use_is_noted(conn):
    store.auth.add_token(conn, "one", "a" * 64, False, NOW)

    store.auth.mark_used(conn, store.auth.tokens(conn)[0].id, NOW + 9)

    assert store.auth.tokens(conn)[0].last_used_at == NOW + 9


def test_removing_a_token_says_whether_there_was_one(conn):
    store.auth.add_token(conn, "one", "a" * 64, False, NOW)

    assert store.auth.remove_token(conn, "one") is True
    assert store.auth.remove_token(conn, "one") is False


def test_failures_are_counted_by_address_newest_first(conn):
    for at in (NOW - 100, NOW, NOW - 50):
        store.auth.add_failure(conn, "192.0.2.1", at)
    store.auth.add_failure(conn, "192.0.2.2", NOW - 10)

    assert store.auth.failures_of(conn, "192.0.2.1", NOW - 100, 9) == [NOW, NOW - 50]
    assert store.auth.failures_of(conn, "192.0.2.1", NOW - 1000, 2) == [NOW, NOW - 50]
    assert store.auth.all_failures(conn, NOW - 60, 9) == [NOW, NOW - 10, NOW - 50]


def test_a_failure_can_be_taken_back(conn):
    kept, wrong = (
        store.auth.add_failure(conn, "192.0.2.1", NOW - 1),
        store.auth.add_failure(conn, "192.0.2.1", NOW),
    )

    store.auth.forgive_failure(conn, wrong)

    assert kept != wrong
    assert store.auth.failures_of(conn, "192.0.2.1", NOW - 60, 9) == [NOW - 1]


def test_old_failures_and_those_from_the_future_are_forgotten(conn):
    for at in (NOW - 3600, NOW - 3599, NOW + 60, NOW + 61):
        store.auth.add_failure(conn, "192.0.2.1", at)

    store.auth.forget_failures(conn, before=NOW - 3600, after=NOW + 60)

    assert store.auth.all_failures(conn, 0, 9) == [NOW + 60, NOW - 3599]


def test_all_failures_can_be_forgotten(conn):
    store.auth.add_failure(conn, "192.0.2.1", NOW)

    store.auth.forget_all_failures(conn)

    assert store.auth.all_failures(conn, 0, 9) == []


def test_hold_needs_nothing_but_the_site(conn):
    store.auth.lock(conn)
