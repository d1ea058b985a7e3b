"""Each sealed token belongs to one account and is of one kind; databases from before that come to it at a service's first start."""

import threading

import pytest

from quota_web import accounts, backup, copying, rotation, serving
from quota_web.codex import auth_file
from quota_web.quota import Status
from quota_web.store import accounts as store
from quota_web.store import engine, sign_in
from quota_web.store.sealing import ACCESS, BOUND, IDENTITY, REFRESH, Sealer
from quota_web.world import World, world
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
    with engine.reading() as conn:
        return store.all_credentials(conn)


def tokens(sealer):
    """Every token in the clear, by account and kind."""
    return {
        (sealed.account_id, kind): sealer.open(part, sealed.account_id, kind).reveal()
        for sealed in everything()
        for column, kind in KINDS.items()
        if (part := getattr(sealed, column)) is not None
    }


def as_before():
    """Make the present database one of 1.0: tokens sealed alone, and no mark."""
    clear, sealer = tokens(world().sealer), world().sealer
    with engine.transaction() as tx:
        for sealed in store.all_credentials(tx):
            old = {c: alone(sealer, clear[sealed.account_id, kind]) for c, kind in KINDS.items() if getattr(sealed, c) is not None}
            store.reseal(tx, store.Sealed(**{f: getattr(sealed, f) for f in store.Sealed.__slots__} | old | {"key_id": "of before"}))
        sign_in.drop_setting(tx, BOUND)
    sealer.only_bound = False


def alone(sealer, token):
    return sealed_alone(sealer.file, token)


def is_marked():
    with engine.reading() as conn:
        return sign_in.setting_of(conn, BOUND) is not None


def are_all_bound(sealer):
    only = Sealer(sealer.file.parent)
    only.only_bound = True
    return all(only.opens(getattr(s, c), s.account_id, kind) for s in everything() for c, kind in KINDS.items() if getattr(s, c))


def test_a_services_first_start_seals_all_tokens_anew(app, instance_dir, database):
    before = tokens(world().sealer)
    service = make_app(instance_dir, **database)

    serving.start(service)
    serving.stop(service)

    assert are_all_bound(world().sealer)
    assert tokens(world().sealer) == before
    assert len(before) == 3 * MANY
    with service.app_context():
        assert is_marked()
        assert world().sealer.only_bound
        engine.forget_troubles()


def test_old_tokens_are_accepted_until_then_and_not_after(app):
    (first, *_) = everything()
    assert world().sealer.opens(first.access_sealed, first.account_id, ACCESS)

    assert rotation.bind(world().sealer) == MANY
    assert rotation.bind(world().sealer) == 0
    planted = alone(world().sealer, "eyJ.of-somebody.else")
    assert not world().sealer.opens(planted, first.account_id, ACCESS)
    # A process that starts later reads it in the database.
    later = World(world().settings)
    later.ready()
    assert not later.sealer.opens(planted, first.account_id, ACCESS)


def test_a_database_that_was_never_used_is_bound_from_its_first_start(instance_dir, database):
    with opened(instance_dir, **database):
        assert rotation.bind(world().sealer) == 0
        assert is_marked()
        # It has no token, so no key is needed yet.
        assert world().sealer.is_missing


def test_an_interrupted_start_goes_on_at_the_next(app, monkeypatch):
    before, pieces = tokens(world().sealer), []
    reseal = store.reseal

    def interrupted(*arguments):
        pieces.append(1)
        if len(pieces) > 30:
            raise KeyboardInterrupt
        reseal(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(store, "reseal", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotation.bind(world().sealer)
    assert not is_marked()
    assert tokens(world().sealer) == before

    assert 0 < rotation.bind(world().sealer) < MANY
    assert is_marked()
    assert tokens(world().sealer) == before


def test_two_services_that_start_together_lose_nothing(app, instance_dir, database):
    before = tokens(world().sealer)

    def start():
        other = make_app(instance_dir, **database)
        with other.app_context():
            world().ready()
            rotation.bind(world().sealer)
            engine.forget_troubles()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_marked()
    assert tokens(world().sealer) == before


def test_a_token_that_no_key_opens_keeps_the_older_ones_accepted(app):
    (first, *_) = everything()
    with engine.transaction() as tx:
        store.put_credentials(tx, store.Sealed(**{f: getattr(first, f) for f in store.Sealed.__slots__} | {"access_sealed": b"of a lost key"}))

    assert rotation.bind(world().sealer) == MANY - 1
    assert not is_marked()
    assert not world().sealer.only_bound


def test_changing_the_key_of_an_older_database_makes_a_new_key(app):
    before, old = tokens(world().sealer), world().sealer.file.read_text()

    done = rotation.rotate(world().sealer, NOW, "test")

    assert (done.is_new, done.resealed) == (True, MANY)
    assert world().sealer.file.read_text() != old
    assert are_all_bound(world().sealer)
    assert is_marked()
    assert tokens(world().sealer) == before


def test_an_older_database_that_moves_is_bound_in_its_new_place(app, instance_dir, postgres_url):
    before = tokens(world().sealer)
    with postgres_url() as url:
        copying.copy_to(url, lambda *_: None)
        there = make_app(instance_dir, QUOTA_DATABASE_URL=url)
        with there.app_context():
            world().ready()
            assert tokens(world().sealer) == before
            assert not is_marked()
            assert rotation.bind(world().sealer) == MANY
            assert tokens(world().sealer) == before
            engine.forget_troubles()


def test_a_bound_database_that_moves_stays_bound(app, instance_dir, postgres_url):
    rotation.bind(world().sealer)
    before = tokens(world().sealer)
    with postgres_url() as url:
        copying.copy_to(url, lambda *_: None)
        there = make_app(instance_dir, QUOTA_DATABASE_URL=url)
        with there.app_context():
            world().ready()
            assert world().sealer.only_bound
            assert tokens(world().sealer) == before
            engine.forget_troubles()


@pytest.mark.parametrize("database", [{}], ids=["sqlite"])
def test_a_backup_from_before_is_bound_when_it_comes_back(app, tmp_path):
    before = tokens(world().sealer)
    backup.backup(tmp_path / "of-1.0.sqlite")
    rotation.bind(world().sealer)
    leave()

    assert restored(tmp_path / "of-1.0.sqlite").resealed == MANY
    assert is_marked()
    assert are_all_bound(world().sealer)
    assert tokens(world().sealer) == before


@pytest.mark.parametrize("statement", ["UPDATE credential SET access_sealed = refresh_sealed", "UPDATE credential SET access_sealed = :other"])
@pytest.mark.usefixtures("database")
def test_a_token_in_another_place_is_never_sent(house, codex, statement):
    for name in ("alice", "bob"):
        add_to(house, name)
    other = house.rows("SELECT access_sealed FROM credential WHERE account_id = 2")[0][0]
    values = {"other": other} if ":other" in statement else {}
    house.execute(f"{statement} WHERE account_id = 1", **values)

    results = house.ask(force=True)

    assert results["alice"].status is Status.INVALID_CREDENTIALS
    assert results["bob"].status is Status.OK
    assert [seen.account_id for seen in codex.seen] == ["acct-bob"]
    assert CANARY not in str([seen.headers for seen in codex.seen])


def add_to(house, name):
    access = make_jwt(f"acct-{name}")
    document = auth_document(f"acct-{name}", access_token=access, refresh_token=f"{CANARY}-{name}")
    accounts.add(house.world.sealer, name, auth_file.parse(document), NOW, "test")
