"""The same code on a server: one schema whoever makes it, and app hosts that share the work."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from quota_web import store
from quota_web.core.checkout import PROJECT
from quota_web.services import services
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.operations import add_account, environment, make_app
from tests.servers import Server

KEY = "the same key on both machines"
ACCOUNTS = 24


def start(instance: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    return subprocess.Popen(
        command,
        env=environment(instance, **settings),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, errors = process.communicate(timeout=100)
    return process.returncode, out + errors


@pytest.fixture
def url(postgres_url):
    with postgres_url() as url:
        yield url


@pytest.fixture
def codex():
    with FakeCodex() as fake:
        fake.default = FakeResponse(body=usage_body(), delay=0.2)
        yield fake


def add_accounts(instance, url):
    app = make_app(instance, QUOTA_DATABASE_URL=url, QUOTA_SECRET_KEY=KEY)
    with app.app_context():
        services().ready()
        for number in range(ACCOUNTS):
            add_account(f"account-{number:02}", number)
        store.database.forget_troubles()


def test_the_models_are_what_the_migrations_make(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context():
        services().ready()
        store.database.forget_troubles()

    code, said = finish(start(instance_dir, "db", "check", **database))

    assert (code, "No new upgrade operations detected" in said) == (0, True), said


def test_every_migration_can_be_taken_back(instance_dir, database):
    for direction, version in (
        ("upgrade", store.schema.HEAD),
        ("downgrade", None),
        ("upgrade", store.schema.HEAD),
    ):
        code, said = finish(
            start(
                instance_dir,
                "db",
                direction,
                "base" if direction == "downgrade" else "head",
                **database,
            )
        )
        assert code == 0, said
        with make_app(instance_dir, **database).app_context():
            assert store.schema.version() == version
            store.database.forget_troubles()


def test_four_first_starts_at_once_make_one_schema(instance_dir, postgres):
    url = postgres.new_database()
    try:
        started = [
            start(instance_dir, "quota", "accounts", "list", QUOTA_DATABASE_URL=url)
            for _ in range(4)
        ]
        assert [finish(process)[0] for process in started] == [0] * 4
    finally:
        postgres.drop(url)


def test_a_hurried_person_on_each_of_two_machines_asks_nobody_twice(tmp_path, url, codex):
    machines = [tmp_path / name for name in ("one", "two")]
    for machine in machines:
        machine.mkdir()
    add_accounts(machines[0] / "instance", url)
    settings = {
        "QUOTA_DATABASE_URL": url,
        "QUOTA_SECRET_KEY": KEY,
        "QUOTA_USAGE_URL": codex.url,
        "QUOTA_CONCURRENCY": "4",
    }
    # Times are whole seconds: an answer of the second in which the other command was given could
    # be from before it, and counts for nothing.
    codex.default = FakeResponse(body=usage_body(), delay=2)

    started = [start(machine / "instance", "quota", "refresh", **settings) for machine in machines]
    ended = [finish(process) for process in started]

    assert [code for code, _ in ended] == [0, 0], ended
    assert Counter(seen.account_id for seen in codex.seen) == {
        f"acct-{number}": 1 for number in range(ACCOUNTS)
    }


def test_the_schedules_of_two_machines_share_the_work(tmp_path, url, codex):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    add_accounts(tmp_path / "one" / "instance", url)
    settings = {"QUOTA_DATABASE_URL": url, "QUOTA_SECRET_KEY": KEY}

    with (
        Server(tmp_path / "one", codex, **settings).classic() as one,
        Server(tmp_path / "two", codex, **settings).classic() as two,
    ):
        one.wait_for(lambda: len(codex.seen) >= ACCOUNTS, 60)
        assert two.get("/healthz")[0] == 200
        # The schedules of all hosts together never have more than four requests under way.
        assert codex.max_in_flight <= 4

    assert Counter(seen.account_id for seen in codex.seen) == {
        f"acct-{number}": 1 for number in range(ACCOUNTS)
    }
