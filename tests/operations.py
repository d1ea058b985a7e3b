"""What the tests of backup, restore and the like share: an app with accounts whose tokens are
canaries, and readings to count.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask
from sqlalchemy import Connection, func, select

from quota_web import config, store
from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core import clock
from quota_web.core.quota import Facts, Reading, Snapshot
from quota_web.core.secret import Secret
from quota_web.factory import create_app
from quota_web.maintenance import restore
from quota_web.maintenance.restore import Restored
from quota_web.services import services
from quota_web.store.encryption import ACCESS, TokenCipher
from quota_web.store.recording import Outcome
from tests.fakes import NOW, auth_document, make_jwt
from tests.schema_file import put_schema

DAY = 86_400
CANARY = "rt_canary-of-the-tests-0123456789"


def make_app(instance: Path, **settings: str) -> Flask:
    folder = instance.parent / "account"
    folder.mkdir(exist_ok=True)
    # Nobody answers there: a test that asks without meaning to fails at once.
    defaults = {"QUOTA_USAGE_URL": "http://127.0.0.1:9/usage", "QUOTA_RETRIES": "0"}
    return create_app(
        config.load(
            {
                "QUOTA_INSTANCE_DIR": str(instance),
                "QUOTA_ACCOUNT_DIR": str(folder),
                **defaults,
                **settings,
            }
        )
    )


@contextmanager
def opened(instance: Path, **settings: str) -> Iterator[Flask]:
    """The app at home in its context, its database there; the clock stands still at NOW."""
    if "QUOTA_DATABASE_URL" not in settings:
        put_schema(instance)
    app = make_app(instance, **settings)
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        yield app
        store.database.forget_troubles()


def add_account(name: str, number: int = 1) -> int:
    """A managed account with a token of its own; the app's context must be there."""
    document = auth_document(
        f"acct-{number}",
        access_token=make_jwt(f"acct-{number}", exp=None),
        refresh_token=f"{CANARY}-{number}",
    )
    account_service.add(services().cipher, name, auth_file.parse(document), NOW, "test")
    with store.database.reading() as conn:
        return store.accounts.get_by_name(conn, name).id


def record(account_id: int, at: int, used: float = 10.0, *, facts: Facts | None = None) -> None:
    """Store an answer of that moment."""
    with store.database.transaction() as tx:
        _record(tx, {account_id: used}, at, facts or Facts("plus"))


def _record(tx: Connection, used: Mapping[int, float], at: int, facts: Facts) -> None:
    """Store an answer of each of these accounts."""
    ids = list(used)
    for account_id in ids:
        store.accounts.update_account(tx, account_id, claim_id=1, claimed_at=at)
    accounts = store.accounts.get_by_ids(tx, ids)
    outcomes = [
        Outcome(accounts[i], at, _snapshot(at, used[i], facts), None, 120, 0, 3_600, at + 3_600)
        for i in ids
    ]
    known = store.windows.windows(tx, ids), store.windows.facts(tx, ids)
    store.recording.record(tx, outcomes, 1, *known)


def _snapshot(at: int, used: float, facts: Facts) -> Snapshot:
    readings = (
        Reading("five_hour", used, at + 3_600, 18_000),
        Reading("weekly", used / 2, at + 5 * DAY, 604_800),
    )
    return Snapshot(readings, facts)


def fill_history(
    days: int = 3, names: tuple[str, ...] = ("alice", "bob"), until: int = NOW
) -> list[int]:
    """Accounts with a reading every hour of the last *days*; returns their ids."""
    ids = [add_account(name, number) for number, name in enumerate(names, 1)]
    # Not one for each hour: they would take more time than the tests.
    with store.database.transaction() as tx:
        for hour in range(days * 24):
            at = until - (days * 24 - hour) * 3_600
            _record(tx, {i: (hour * 7 + i) % 101 for i in ids}, at, Facts("plus"))
    return ids


def rows(table) -> int:
    with store.database.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


def all_rows(table) -> list[tuple]:
    with store.database.reading() as conn:
        return [
            tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))
        ]


def run(app: Flask, *arguments: str, **options):
    """`flask quota …` in this process."""
    return app.test_cli_runner().invoke(args=["quota", *arguments], **options)


def opens(cipher: TokenCipher, account_id: int) -> Secret:
    with store.database.reading() as conn:
        sealed = store.credentials.get_by_ids(conn, [account_id])[account_id].access_sealed
    return cipher.open(sealed, account_id, ACCESS)


def environment(instance: Path, **settings: str) -> Mapping[str, str]:
    """The environment of a command in another process."""
    folder = instance.parent / "account"
    folder.mkdir(exist_ok=True)
    return {
        "QUOTA_INSTANCE_DIR": str(instance),
        "QUOTA_ACCOUNT_DIR": str(folder),
        "QUOTA_USAGE_URL": "http://127.0.0.1:9/usage",
        "QUOTA_RETRIES": "0",
        "PATH": "/usr/bin:/bin",
        **settings,
    }


def leave() -> None:
    """What a process that ends does: lets go of the database."""
    presence = services().presence
    assert presence is not None
    presence.leave()
    store.database.forget_troubles()


def restored(file: Path, now: int = NOW, actor: str = "test") -> Restored:
    """Restore *file* as the command does."""
    present = services()
    return restore.restore(file, present.cipher, present.settings.account_dir, now, actor)


def sealed_alone(key_file: Path, token: str) -> bytes:
    """A token as 1.0 sealed it: without its account and kind."""
    master = key_file.read_bytes().split()[0]
    purpose = b"codex-quota: seal tokens"
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(master)
    return Fernet(base64.urlsafe_b64encode(key)).encrypt(token.encode())
