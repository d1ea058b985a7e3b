"""Moving a history: every row arrives, both sides are compared, and a target that is in use is
never touched.
"""

import threading

import pytest
from sqlalchemy import update

from quota_web import store
from quota_web.core import clock
from quota_web.core.errors import BadDatabase, BadInput
from quota_web.maintenance import transfer
from quota_web.reports import overview
from quota_web.services import services
from quota_web.store.locks import DatabaseLock
from tests.fakes import NOW
from tests.operations import add_account, all_rows, fill_history, make_app, record, rows, run


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill_history(2)
        yield app
        store.database.forget_troubles()


@pytest.fixture
def target(postgres_url):
    with postgres_url() as url:
        yield url


def silent(*_):
    pass


def everything():
    return {
        table.name: all_rows(table)
        for table in store.models.metadata.sorted_tables
        if table.name != "site_state"
    }


def test_everything_arrives_on_postgresql(app, target, instance_dir, monkeypatch):
    monkeypatch.setattr(transfer, "CHUNK", 17)
    before, seen = everything(), overview.load_overview(services().scope, NOW, 3_600)
    told = []

    sums = transfer.copy_to(target, lambda *progress: told.append(progress))

    assert sums["reading"].rows == rows(store.models.reading) == 192
    assert ("reading", 192, 192) in told
    there = make_app(instance_dir, QUOTA_DATABASE_URL=target)
    with there.app_context():
        services().ready()
        after = everything()
        assert {name: [tuple(row) for row in rows] for name, rows in after.items()} == before
        again = overview.load_overview(services().scope, NOW, 3_600)
        assert again.accounts == seen.accounts
        assert again.site.nonce != seen.site.nonce


def test_the_new_place_is_ready_for_work(app, target, instance_dir):
    with store.database.transaction() as tx:
        tx.execute(update(store.models.account).values(claim_id=7, claimed_at=NOW))
    transfer.copy_to(target, silent)

    there = make_app(instance_dir, QUOTA_DATABASE_URL=target)
    with there.app_context():
        # New rows get numbers of their own, and tokens are opened with the key that stayed.
        new = add_account("carol", 9)
        record(new, NOW + 60)
        record(1, NOW + 60)
        assert services().cipher.open(engine_credentials(1), 1, "access").reveal()
        assert rows(store.models.account) == 3
        assert [row.claim_id for row in _accounts()] == [None] * 3


def engine_credentials(account_id):
    with store.database.reading() as conn:
        return (
            conn.execute(
                store.models.credential.select().where(
                    store.models.credential.c.account_id == account_id
                )
            )
            .one()
            .access_sealed
        )


def _accounts():
    return all_records(store.models.account)


def all_records(table):
    with store.database.reading() as conn:
        return conn.execute(table.select()).all()


def test_a_database_in_use_is_refused_untouched(app, target, instance_dir):
    transfer.copy_to(target, silent)
    record(1, NOW + 60)

    result = run(app, "copy-to", target)

    assert (result.exit_code, result.stderr) == (
        1,
        "the database is not empty (table account); give an empty one\n",
    )
    with make_app(instance_dir, QUOTA_DATABASE_URL=target).app_context():
        assert rows(store.models.reading) == 192


def test_what_does_not_arrive_whole_leaves_the_target_empty(app, target, monkeypatch):
    plus = transfer.Sum.plus
    seen = []

    def forgetful(self, rows):
        seen.append(rows)
        return plus(self, rows if len(seen) != 2 else rows[1:])

    monkeypatch.setattr(transfer.Sum, "plus", forgetful)
    with pytest.raises(BadInput, match="did not arrive whole"):
        transfer.copy_to(target, silent)

    monkeypatch.undo()
    assert transfer.copy_to(target, silent)["reading"].rows == 192


def test_a_copy_is_of_one_moment_whatever_is_stored_meanwhile(instance_dir, database, tmp_path):
    app, copy = make_app(instance_dir, **database), f"sqlite:///{tmp_path / 'copy.sqlite'}"

    def store_another():
        with make_app(instance_dir, **database).app_context():
            record(1, NOW + 60)
            store.database.forget_troubles()

    def meanwhile(table, *_):
        if table == "account":
            thread = threading.Thread(target=store_another)
            thread.start()
            thread.join(30)

    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill_history(1)
        transfer.copy_to(copy, meanwhile)
        assert rows(store.models.reading) == 2 * 2 * 24 + 2
        store.database.forget_troubles()
    with make_app(instance_dir, QUOTA_DATABASE_URL=copy).app_context():
        newest = max(row.taken_at for row in all_records(store.models.reading))
        assert rows(store.models.reading) == 2 * 2 * 24
        assert (
            {row.taken_at for row in _accounts()}
            == {row.taken_at for row in all_records(store.models.limit_window)}
            == {newest}
        )
        store.database.forget_troubles()


def test_a_database_that_a_service_uses_is_not_moved(app, target, instance_dir):
    service = DatabaseLock(instance_dir / "quota.sqlite")
    refused = run(app, "copy-to", target)
    service.leave()

    assert (refused.exit_code, refused.stderr.count("\n")) == (4, 1)
    assert "stop the service" in refused.stderr
    assert run(app, "copy-to", target).exit_code == 0


def test_no_process_begins_to_use_a_database_that_is_being_moved(app, instance_dir):
    with transfer.alone(services().presence), pytest.raises(BadDatabase, match="restored or moved"):
        DatabaseLock(instance_dir / "quota.sqlite")
    DatabaseLock(instance_dir / "quota.sqlite").leave()


def test_another_user_of_a_server_is_said(app, target, instance_dir, tmp_path):
    transfer.copy_to(target, silent)
    there = make_app(instance_dir, QUOTA_DATABASE_URL=target)
    with there.app_context(), store.database.elsewhere(target, write=False):
        said = run(there, "copy-to", f"sqlite:///{tmp_path / 'back.sqlite'}")
        store.database.forget_troubles()

    assert said.exit_code == 0
    assert "1 other connection(s)" in said.stderr


def test_the_way_back_is_the_same_command(app, target, instance_dir, tmp_path):
    sums = transfer.copy_to(target, silent)
    back = f"sqlite:///{tmp_path / 'back.sqlite'}"
    with make_app(instance_dir, QUOTA_DATABASE_URL=target).app_context():
        returned = transfer.copy_to(back, silent)

    assert {k: v for k, v in returned.items() if k != "site_state"} == {
        k: v for k, v in sums.items() if k != "site_state"
    }


def test_the_command_shows_counts_and_checksums(app, target):
    result = run(app, "copy-to", target)

    assert result.exit_code == 0
    assert "reading" in result.stdout
    assert "the same on both sides" in result.stdout
    assert "QUOTA_DATABASE_URL" in result.stderr


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("nonsense", 1),
        ("mysql://u@h/d", 1),
        ("sqlite://", 1),
        ("postgresql://quota@127.0.0.1:1/none", 4),
        ("sqlite:////proc/nowhere/all.sqlite", 4),
    ],
)
def test_a_target_that_cannot_be_used_is_one_line(app, url, status):
    result = run(app, "copy-to", url)

    assert (result.exit_code, result.stderr.count("\n")) == (status, 1), result.output


def test_a_password_in_the_address_is_never_shown(app):
    result = run(app, "copy-to", "postgresql://quota:hunter2-canary@127.0.0.1:1/none")

    assert result.exit_code == 4
    assert "hunter2" not in result.output
