"""A whole small installation for tests: account folder, instance folder with its database, the app,
and a fake upstream beside it.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import Result as Ran
from flask import Flask
from sqlalchemy import text

from quota_web import config, store
from quota_web.accounts import folder_sync
from quota_web.core import checkout, clock
from quota_web.factory import create_app
from quota_web.refresh import context, refresh_service
from quota_web.refresh.worker import RefreshContext, RefreshResult
from quota_web.reports import overview
from quota_web.reports.overview import AccountView
from quota_web.services import Services, services
from quota_web.store.accounts import Account, Scope
from tests.fakes import NOW, FakeCodex, auth_document, make_jwt


class Installation:
    """One installation under *folder*.

    Its app's context is open; the clock stands still at NOW unless a test moves it.
    """

    def __init__(self, folder: Path, codex: FakeCodex | None = None, **settings: str) -> None:
        self.folder, self.instance, self.accounts = folder, folder / "instance", folder / "account"
        self.accounts.mkdir(exist_ok=True)
        self.environment = {
            "QUOTA_INSTANCE_DIR": str(self.instance),
            "QUOTA_ACCOUNT_DIR": str(self.accounts),
            "QUOTA_RETRIES": "0",
            "QUOTA_RETRY_DELAY": "0",
            "QUOTA_TIMEZONE": "Asia/Shanghai",
            **({"QUOTA_USAGE_URL": codex.url} if codex else {}),
            **settings,
        }
        self.app = self.another()
        self.now = NOW

    def another(self, **settings: str) -> Flask:
        """One more app on the same folders, as another process would be; *settings* differ from the
        first one's.
        """
        return create_app(config.load({**self.environment, **settings}))

    def process_environment(self, **settings: str) -> dict[str, str]:
        """What another process needs in its environment to be at home here."""
        return {**os.environ, "PYTHONPATH": str(checkout.PROJECT), **self.environment, **settings}

    @property
    def database(self) -> Path:
        return self.instance / "quota.sqlite"

    @property
    def services(self) -> Services:
        return services()

    @property
    def scope(self) -> Scope:
        return self.services.scope

    def file(self, name: str, account_id: str | None = None, **token: Any) -> Path:
        """Put an auth file for *name* into the account folder; *token* are the claims of its access
        token.
        """
        account_id = account_id or f"acct-{name}"
        document = auth_document(
            account_id,
            access_token=make_jwt(account_id, **{"user_id": f"user-{account_id}", **token}),
        )
        return self.raw_file(name, json.dumps(document).encode())

    def raw_file(self, name: str, content: bytes) -> Path:
        path = self.accounts / f"{name}.auth.json"
        path.write_bytes(content)
        return path

    def follow(self, folder: Path | None = None) -> folder_sync.SyncResult:
        return folder_sync.sync(self.services.cipher, folder or self.accounts, self.now)

    def refresh(
        self, *names: str, force: bool = False, **refresh_context: Any
    ) -> dict[str, RefreshResult]:
        """Follow the folder and refresh these accounts, or all, as a person does; the results by
        name.
        """
        self.follow()
        return self.ask(*names, force=force, **refresh_context)

    def ask(
        self, *names: str, force: bool = False, **refresh_context: Any
    ) -> dict[str, RefreshResult]:
        """Refresh without a look at the folder."""
        chosen, _ = refresh_service.select(self.scope, names)
        return {
            r.name: r
            for r in refresh_service.refresh(
                self.refresh_context(**refresh_context), chosen, force=force
            )
        }

    def refresh_context(self, **changes: Any) -> RefreshContext:
        refresh_context = context.make_context(self.services)
        for name, value in {"now": lambda: self.now, **changes}.items():
            setattr(refresh_context, name, value)
        return refresh_context

    def report(self, name: str) -> AccountView:
        return next(
            r
            for r in overview.load_overview(Scope(), self.now, 3_600).accounts
            if r.account.name == name
        )

    def used(self, name: str) -> dict[str, float]:
        """The used percent of each window that an account has now."""
        return {w.key: w.used_percent for w in self.report(name).windows}

    def account(self, name: str) -> Account:
        with store.database.reading() as conn:
            return store.accounts.get_by_name(conn, name)

    def names(self) -> list[str]:
        with store.database.reading() as conn:
            return [a.name for a in store.accounts.list_all(conn)]

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with store.database.reading() as conn:
            return [tuple(row) for row in conn.execute(text(sql), values)]

    def execute(self, sql: str, **values: Any) -> None:
        with store.database.transaction() as tx:
            tx.execute(text(sql), values)

    def run(self, *arguments: str, **options: Any) -> Ran:
        """`flask quota …` in this process, of the house's app and at its moment."""
        with self.app.app_context(), clock.frozen(self.now):
            return self.app.test_cli_runner().invoke(args=["quota", *arguments], **options)


@contextmanager
def open_installation(
    folder: Path, codex: FakeCodex | None = None, *, template: Path | None = None, **settings: str
) -> Iterator[Installation]:
    """A house with an open app context; *template* is an instance folder to start from, which saves
    making the schema anew.
    """
    if template is not None:
        shutil.copytree(template, folder / "instance", dirs_exist_ok=True)
    installation = Installation(folder, codex, **settings)
    first = installation.app
    with first.app_context():
        installation.services.ready()
        try:
            yield installation
        finally:
            for app in {installation.app, first}:
                with app.app_context():
                    installation.services.close()
                    store.database.bound().dispose()


class OtherProcess:
    """Something that goes on in another process: a thread with an app, a database connection and a
    client of its own.
    """

    def __init__(self, installation: Installation, act: Callable[[], Any]) -> None:
        self._act, self._app = act, installation.another()
        self._thread = threading.Thread(target=self._run)
        self.result: Any = None

    def __enter__(self) -> "OtherProcess":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)

    def _run(self) -> None:
        with self._app.app_context():
            try:
                self.result = self._act()
            finally:
                services().close()
                store.database.bound().dispose()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.005)
