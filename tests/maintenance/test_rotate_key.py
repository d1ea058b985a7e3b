"""Changing the key: every token sealed anew, services go on, an interruption is finished, and
nothing is ever lost.
"""

import itertools
import threading

import pytest

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import BadInput
from quota_web.core.secret import Secret
from quota_web.maintenance import rotate_key
from quota_web.services import services
from quota_web.store.encryption import ACCESS, REFRESH, DecryptionFailed, TokenCipher
from tests.fakes import NOW
from tests.operations import CANARY, add_account, make_app, run


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        for number in (1, 2, 3):
            add_account(f"account-{number}", number)
        yield app
        store.database.forget_troubles()


@pytest.fixture
def key_file(instance_dir):
    return instance_dir / "secret.key"


def refresh_tokens(cipher):
    with store.database.reading() as conn:
        every = store.credentials.list_all(conn)
    return [cipher.open(s.refresh_sealed, s.account_id, REFRESH).reveal() for s in every]


TOKENS = [f"{CANARY}-{number}" for number in (1, 2, 3)]


def test_all_tokens_are_sealed_with_the_new_key_alone(app, key_file, instance_dir):
    old = key_file.read_text()

    done = rotate_key.rotate(services().cipher, NOW, "test")

    assert (done.is_new, done.resealed, done.unreadable) == (True, 3, ())
    assert done.old_keys == instance_dir / "secret.key.before-20261121T120000Z"
    assert len(key_file.read_text().split()) == 1
    assert key_file.read_text() != old
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert sorted(refresh_tokens(TokenCipher(instance_dir))) == TOKENS
    with store.database.reading() as conn:
        assert {sealed.key_id for sealed in store.credentials.list_all(conn)} == {
            TokenCipher(instance_dir).key_id
        }


def test_the_old_key_opens_nothing_any_more(app, key_file, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "secret.key").write_bytes(key_file.read_bytes())

    rotate_key.rotate(services().cipher, NOW, "test")

    with pytest.raises(DecryptionFailed):
        refresh_tokens(TokenCipher(old))


def test_a_service_that_runs_meanwhile_notices(app, instance_dir):
    service = TokenCipher(instance_dir)
    before = service.seal(Secret("sealed before"), 1, REFRESH)

    rotate_key.rotate(services().cipher, NOW, "test")

    assert sorted(refresh_tokens(service)) == TOKENS
    assert service.key_id == services().cipher.key_id
    # What it had read before the change, it still opens: somebody is being asked with it at this
    # moment.
    assert service.open(before, 1, REFRESH).reveal() == "sealed before"


@pytest.mark.parametrize("stops_after", range(1, 4))
def test_an_interrupted_change_is_finished_without_a_third_key(
    app, key_file, instance_dir, monkeypatch, stops_after
):
    monkeypatch.setattr(rotate_key, "CHUNK", 1)
    calls = itertools.count(1)
    reencrypt = store.credentials.reencrypt

    def interrupted(*arguments):
        if next(calls) == stops_after:
            raise KeyboardInterrupt
        reencrypt(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(store.credentials, "reencrypt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotate_key.rotate(services().cipher, NOW, "test")
    assert sorted(refresh_tokens(TokenCipher(instance_dir))) == TOKENS
    new, _old = key_file.read_text().split()

    done = rotate_key.rotate(TokenCipher(instance_dir), NOW, "test")

    assert (done.is_new, done.resealed) == (False, 4 - stops_after)
    assert key_file.read_text().split() == [new]
    assert sorted(refresh_tokens(TokenCipher(instance_dir))) == TOKENS


def test_tokens_saved_while_the_key_changes_survive(app, instance_dir):
    stop = threading.Event()

    def save():
        with app.app_context():
            number = 100
            while not stop.is_set():
                number += 1
                add_account(f"late-{number}", number)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        for _ in range(3):
            rotate_key.rotate(services().cipher, NOW, "test")
    finally:
        stop.set()
        saver.join()

    fresh = TokenCipher(instance_dir)
    assert len(refresh_tokens(fresh)) > 3
    assert len(fresh.key_ids) == 1


def test_what_no_key_opens_is_named_and_left_alone(app, instance_dir):
    with store.database.transaction() as tx:
        (sealed, *_) = store.credentials.list_all(tx)
        stranger = TokenCipher(instance_dir / "nowhere", Secret("a key that nobody has here"))
        access = stranger.seal(Secret("lost"), sealed.account_id, ACCESS)
        store.credentials.reencrypt(
            tx,
            store.credentials.EncryptedCredential(
                **{f: getattr(sealed, f) for f in store.credentials.EncryptedCredential.__slots__}
                | {"access_sealed": access}
            ),
        )

    result = run(app, "rotate-key")

    assert result.exit_code == 0
    assert "account-1: no key opens its tokens" in result.stderr
    with store.database.reading() as conn:
        assert (
            store.credentials.get_by_ids(conn, [sealed.account_id])[sealed.account_id].access_sealed
            == access
        )


def test_the_command_says_what_to_do_next(app):
    result = run(app, "rotate-key")

    assert "3 account(s) sealed anew" in result.stdout
    assert "Restart the service" in result.stderr
    assert "older backups need it" in result.stderr


def test_a_given_key_is_changed_by_whoever_gave_it(app, instance_dir, database):
    given = make_app(instance_dir, QUOTA_SECRET_KEY="a new key of the environment", **database)
    with given.app_context():
        # From the file to the environment: the file's key still opens what it sealed.
        assert "3 account(s) sealed anew" in run(given, "rotate-key").stdout
        result = run(given, "rotate-key")
        assert result.exit_code == 1
        assert "QUOTA_SECRET_KEY_OLD" in result.stderr
        store.database.forget_troubles()

    keys = {
        "QUOTA_SECRET_KEY": "the key that comes after it",
        "QUOTA_SECRET_KEY_OLD": "a new key of the environment",
    }
    (instance_dir / "secret.key").unlink()
    later = make_app(instance_dir, **keys, **database)
    with later.app_context():
        assert "3 account(s) sealed anew" in run(later, "rotate-key").stdout
        assert (
            sorted(refresh_tokens(TokenCipher(instance_dir, Secret("the key that comes after it"))))
            == TOKENS
        )
        with pytest.raises(BadInput, match="QUOTA_SECRET_KEY"):
            rotate_key.rotate(services().cipher, NOW, "test")
        store.database.forget_troubles()
