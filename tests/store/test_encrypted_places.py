"""Each sealed token belongs to one account and is of one kind; databases from before that come to
it at a service's first start.
"""

import threading

import pytest

from quota_web import store
from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core.quota import Status
from quota_web.maintenance import backup, rotate_key, transfer
from quota_web.services import Services, services
from quota_web.serving import lifecycle
from quota_web.store.encryption import ACCESS, BOUND, IDENTITY, REFRESH, TokenCipher
from tests.fakes import NOW, auth_document, make_jwt
from tests.operations import CANARY, add_account, leave, make_app, opened, restored, sealed_alone

KINDS = {"access_sealed": ACCESS, "refresh_sealed": REFRESH, "id_sealed": IDENTITY}
MANY = 45


@pytest.fixture
def app(instance_dir, database):
    with opened(instance_dir, **database) as app:
        for number in range(1, MANY + 1):
            add_account(f"account-{number}", number)
        as_before()
        yield app


def everything():
    with store.database.reading() as conn:
        return store.credentials.list_all(conn)


def tokens(cipher):
    """Every token in the clear, by account and kind."""
    return {
        (sealed.account_id, kind): cipher.open(part, sealed.account_id, kind).reveal()
        for sealed in everything()
        for column, kind in KINDS.items()
        if (part := getattr(sealed, column)) is not None
    }


def as_before():
    """Make the present database one of 1.0: tokens sealed alone, and no mark."""
    clear, cipher = tokens(services().cipher), services().cipher
    with store.database.transaction() as tx:
        for sealed in store.credentials.list_all(tx):
            old = {
                c: alone(cipher, clear[sealed.account_id, kind])
                for c, kind in KINDS.items()
                if getattr(sealed, c) is not None
            }
            store.credentials.reencrypt(
                tx,
                store.credentials.EncryptedCredential(
                    **{
                        f: getattr(sealed, f)
                        for f in store.credentials.EncryptedCredential.__slots__
                    }
                    | old
                    | {"key_id": "of before"}
                ),
            )
        store.auth.drop_setting(tx, BOUND)
    cipher.only_bound = False


def alone(cipher, token):
    return sealed_alone(cipher.file, token)


def is_marked():
    with store.database.reading() as conn:
        return store.auth.setting_of(conn, BOUND) is not None


def are_all_bound(cipher):
    only = TokenCipher(cipher.file.parent)
    only.only_bound = True
    return all(
        only.opens(getattr(s, c), s.account_id, kind)
        for s in everything()
        for c, kind in KINDS.items()
        if getattr(s, c)
    )


def test_a_services_first_start_seals_all_tokens_anew(app, instance_dir, database):
    before = tokens(services().cipher)
    service = make_app(instance_dir, **database)

    lifecycle.start(service)
    lifecycle.stop(service)

    assert are_all_bound(services().cipher)
    assert tokens(services().cipher) == before
    assert len(before) == 3 * MANY
    with service.app_context():
        assert is_marked()
        assert services().cipher.only_bound
        store.database.forget_troubles()


def test_old_tokens_are_accepted_until_then_and_not_after(app):
    (first, *_) = everything()
    assert services().cipher.opens(first.access_sealed, first.account_id, ACCESS)

    assert rotate_key.bind(services().cipher) == MANY
    assert rotate_key.bind(services().cipher) == 0
    planted = alone(services().cipher, "eyJ.of-somebody.else")
    assert not services().cipher.opens(planted, first.account_id, ACCESS)
    # A process that starts later reads it in the database.
    later = Services(services().settings)
    later.ready()
    assert not later.cipher.opens(planted, first.account_id, ACCESS)


def test_a_database_that_was_never_used_is_bound_from_its_first_start(instance_dir, database):
    with opened(instance_dir, **database):
        assert rotate_key.bind(services().cipher) == 0
        assert is_marked()
        # It has no token, so no key is needed yet.
        assert services().cipher.is_missing


def test_an_interrupted_start_goes_on_at_the_next(app, monkeypatch):
    before, pieces = tokens(services().cipher), []
    reseal = store.credentials.reencrypt

    def interrupted(*arguments):
        pieces.append(1)
        if len(pieces) > 30:
            raise KeyboardInterrupt
        reseal(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(store.credentials, "reencrypt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotate_key.bind(services().cipher)
    assert not is_marked()
    assert tokens(services().cipher) == before

    assert 0 < rotate_key.bind(services().cipher) < MANY
    assert is_marked()
    assert tokens(services().cipher) == before


def test_two_services_that_start_together_lose_nothing(app, instance_dir, database):
    before = tokens(services().cipher)

    def start():
        other = make_app(instance_dir, **database)
        with other.app_context():
            services().ready()
            rotate_key.bind(services().cipher)
            store.database.forget_troubles()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_marked()
    assert tokens(services().cipher) == before


def test_a_token_that_no_key_opens_keeps_the_older_ones_accepted(app):
    (first, *_) = everything()
    with store.database.transaction() as tx:
        store.credentials.put(
            tx,
            store.credentials.EncryptedCredential(
                **{f: getattr(first, f) for f in store.credentials.EncryptedCredential.__slots__}
                | {"access_sealed": b"of a lost key"}
            ),
        )

    assert rotate_key.bind(services().cipher) == MANY - 1
    assert not is_marked()
    assert not services().cipher.only_bound


def test_changing_the_key_of_an_older_database_makes_a_new_key(app):
    before, old = tokens(services().cipher), services().cipher.file.read_text()

    done = rotate_key.rotate(services().cipher, NOW, "test")

    assert (done.is_new, done.resealed) == (True, MANY)
    assert services().cipher.file.read_text() != old
    assert are_all_bound(services().cipher)
    assert is_marked()
    assert tokens(services().cipher) == before


def test_an_older_database_that_moves_is_bound_in_its_new_place(app, instance_dir, postgres_url):
    before = tokens(services().cipher)
    with postgres_url() as url:
        transfer.copy_to(url, lambda *_: None)
        there = make_app(instance_dir, QUOTA_DATABASE_URL=url)
        with there.app_context():
            services().ready()
            assert tokens(services().cipher) == before
            assert not is_marked()
            assert rotate_key.bind(services().cipher) == MANY
            assert tokens(services().cipher) == before
            store.database.forget_troubles()


def test_a_bound_database_that_moves_stays_bound(app, instance_dir, postgres_url):
    rotate_key.bind(services().cipher)
    before = tokens(services().cipher)
    with postgres_url() as url:
        transfer.copy_to(url, lambda *_: None)
        there = make_app(instance_dir, QUOTA_DATABASE_URL=url)
        with there.app_context():
            services().ready()
            assert services().cipher.only_bound
            assert tokens(services().cipher) == before
            store.database.forget_troubles()


@pytest.mark.parametrize("database", [{}], ids=["sqlite"])
def test_a_backup_from_before_is_bound_when_it_comes_back(app, tmp_path):
    before = tokens(services().cipher)
    backup.backup(tmp_path / "of-1.0.sqlite")
    rotate_key.bind(services().cipher)
    leave()

    assert restored(tmp_path / "of-1.0.sqlite").resealed == MANY
    assert is_marked()
    assert are_all_bound(services().cipher)
    assert tokens(services().cipher) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credential SET access_sealed = refresh_sealed",
        "UPDATE credential SET access_sealed = :other",
    ],
)
@pytest.mark.usefixtures("database")
def test_a_token_in_another_place_is_never_sent(installation, codex, statement):
    for name in ("alice", "bob"):
        add_to(installation, name)
    other = installation.rows("SELECT access_sealed FROM credential WHERE account_id = 2")[0][0]
    values = {"other": other} if ":other" in statement else {}
    installation.execute(f"{statement} WHERE account_id = 1", **values)

    results = installation.ask(force=True)

    assert results["alice"].status is Status.INVALID_CREDENTIALS
    assert results["bob"].status is Status.OK
    assert [seen.account_id for seen in codex.seen] == ["acct-bob"]
    assert CANARY not in str([seen.headers for seen in codex.seen])


def add_to(installation, name):
    access = make_jwt(f"acct-{name}")
    document = auth_document(f"acct-{name}", access_token=access, refresh_token=f"{CANARY}-{name}")
    account_service.add(installation.services.cipher, name, auth_file.parse(document), NOW, "test")
