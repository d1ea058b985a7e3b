"""A database that accepts no writes any more, such as a standby: every page reads, what would be
stored is refused in plain words.
"""

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.auth import tokens
from quota_web.core import clock
from quota_web.core.errors import DatabaseReadOnly
from quota_web.refresh.tick import Tick
from quota_web.reports import overview
from quota_web.services import services
from tests.browser import Browser, make_app
from tests.fakes import NOW
from tests.operations import fill_history

PAGES = (
    "/",
    "/accounts/alice",
    "/accounts/alice/chart.svg",
    "/accounts/alice/lane.svg",
    "/history",
    "/settings",
    "/auth",
    "/auth/new",
    "/auth/edit?name=alice",
    "/auth/delete?name=alice",
)
READ_BY_TOKEN = ("/api/results", "/api/history?account=alice", "/metrics", "/", "/accounts/alice")
WRITES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/refresh", {}),
    ("/auth/pause", {"name": "alice"}),
    ("/auth/delete", {"name": "alice"}),
    ("/settings/tokens", {"name": "another"}),
    ("/settings/tokens/revoke", {"name": "script"}),
)


class Switch:
    """Makes the app's database read-only, and writable again."""

    def __init__(self, server) -> None:
        self._server, self.is_on = server, False

    def read_only(self, wanted: bool) -> None:
        self.is_on = wanted
        if self._server is not None:
            self._server.execute(
                f"ALTER DATABASE {store.database.bound().url.database} "
                f"SET default_transaction_read_only = {'on' if wanted else 'off'}"
            )
        elif wanted:
            event.listen(store.database.bound(), "connect", _query_only)
        else:
            event.remove(store.database.bound(), "connect", _query_only)


def _query_only(dbapi, _record):
    """To SQLite's errors the same as a file that may not be written, which root never meets."""
    dbapi.execute("PRAGMA query_only=ON")


@pytest.fixture(scope="module")
def app(tmp_path_factory, module_database):
    """One for all: what cannot be stored changes nothing for the next test, and the one that
    stores something takes it back.
    """
    folder = tmp_path_factory.mktemp("read-only") / "instance"
    folder.mkdir(mode=0o700)
    app = make_app(folder, **module_database)
    with app.app_context(), clock.frozen(NOW):
        fill_history(1)
        yield app


@pytest.fixture(scope="module")
def token(app):
    return {"Authorization": f"Bearer {tokens.create('script', False, NOW, 'test')[1].reveal()}"}


@pytest.fixture(scope="module")
def browser(app):
    return Browser(app).signed_in()


@pytest.fixture(scope="module")
def wired(request, app, module_database, browser, token):
    """The switch, when accounts, a session and a token that was never used are there."""
    switch = Switch(request.getfixturevalue("postgres") if module_database else None)
    yield switch
    if switch.is_on:
        switch.read_only(False)


@pytest.fixture
def switch(wired):
    """The database is read-only from here on, and nobody has met that yet."""
    if not wired.is_on:
        wired.read_only(True)
    store.database.forget_troubles()
    yield wired
    store.database.forget_troubles()


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_read(switch, browser, path):
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize("path", READ_BY_TOKEN)
def test_a_token_reads_though_its_use_cannot_be_noted(switch, app, token, path):
    answer = app.test_client().get(path, headers=token)

    assert answer.status_code == 200
    assert [known.last_used_at for known in tokens.listed()] == [None]


@pytest.mark.parametrize(("path", "fields"), WRITES)
def test_what_would_be_stored_is_refused_in_plain_words(switch, browser, caplog, path, fields):
    answer = browser.post(path, **fields)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "Nothing can be stored: the database is read-only" in answer.text
    assert [
        record.exc_info
        for record in caplog.records
        if record.levelname == "ERROR" and record.exc_info
    ] == []
    assert "until" in caplog.text


def test_pages_say_so_until_it_is_over(switch, app, browser):
    browser.post("/auth/pause", name="alice")
    assert "nothing can be stored until" in browser.get("/").text
    told = browser.get("/readyz").json
    assert told["reason"] == "storing"
    assert "nothing can be stored (DatabaseReadOnly)" in told["message"]
    switch.read_only(False)

    try:
        assert browser.post("/auth/pause", name="alice").status_code == 303
        assert overview.trouble() is None
        assert "nothing can be stored" not in browser.get("/").text
    finally:
        assert browser.post("/auth/resume", name="alice").status_code == 303


def test_the_schedule_asks_nobody(switch, app):
    rounds = Tick(services(), lambda: None)
    with clock.frozen(NOW + 7_200):
        rounds.follow()
        waiting = rounds.due_accounts().due
        assert [found.name for found in waiting] == ["alice", "bob"]
        # The upstream's address leads nowhere: asked, they would be unreachable.
        with pytest.raises(DatabaseReadOnly):
            rounds.refresh(waiting, by_person=False)
        # Nobody was asked, so everybody waits on.
        assert rounds.due_accounts().due == waiting
