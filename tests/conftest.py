"""What holds for every test: no setting from outside, no way to the real upstream, a folder of its
own.
"""

import gc
import os
import unicodedata
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from sqlalchemy import Connection, Engine, event

from quota_web import store
from quota_web.language import catalogue
from tests import compiled_templates, shared_statements, url_rules
from tests.emptied_databases import TEMPLATE, EmptiedDatabases
from tests.fakes import FakeCodex
from tests.fillings import Filling, Fillings, asked_for
from tests.installation import Installation, open_installation
from tests.open_files import Watch
from tests.postgres import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser import Browser as Visitor
    from tests.chromium import Tabs
    from tests.servers import Server as Service

#: Switches of the test run itself; all other QUOTA_* variables are settings of the app.
SWITCHES = {"QUOTA_FAULTS", "QUOTA_FAULT_RUNS", "QUOTA_REQUIRE_REAL_PARTS"}
WAYS_OUT = {
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watch())
    compiled_templates.share()
    url_rules.share()
    shared_statements.share()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile, and later not through what was collected: it all stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Take the developer's own settings away, and lead https into a dead end: a test that forgets
    its fake fails at once.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if (
                name.startswith(("QUOTA_", "FLASK_")) and name not in SWITCHES
            ) or name.upper() in WAYS_OUT:
                patch.delenv(name)
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        patch.setenv("NO_PROXY", "localhost,127.0.0.1,::1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _translations() -> None:
    """Also tests without an app may speak Chinese."""
    catalogue.init_app()


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """A real browser; see tests/chromium.py."""
    from tests.chromium import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def tabs(chromium: "Browser", server: "Service") -> Iterator["Tabs"]:
    """Pages of somebody who has signed in to the module's own `server`, for one test after the
    other.
    """
    from tests.chromium import Tabs

    tabs = Tabs(chromium, server)
    yield tabs
    tabs.close()


@pytest.fixture(scope="module")
def state(tabs: "Tabs") -> Any:
    """The cookies of somebody who has signed in to the module's own `server`."""
    return tabs.state


@pytest.fixture
def instance_dir(tmp_path: Path) -> Path:
    """An empty instance folder that only this user can enter."""
    folder = tmp_path / "instance"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL with a database `quota_template` that has our tables already."""
    with Server() as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        store.schema.bring_up(server.url(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def postgres_url(
    postgres: Server, fillings: Fillings
) -> Callable[..., AbstractContextManager[str]]:
    """Opens a database of our newest schema on the real server, for as long as it is needed: an
    empty one, or one that begins with a filling.
    """
    empty = EmptiedDatabases(postgres)

    @contextmanager
    def opened(filling: Filling | None = None) -> Iterator[str]:
        databases = fillings.databases(postgres, filling) if filling else empty
        with databases.one() as url, disposing():
            yield url

    return opened


@contextmanager
def disposing() -> Iterator[None]:
    """Close what the engines of apps made meanwhile leave open: a server's connections complain
    when they are forgotten.
    """
    seen: set[Engine] = set()

    def note(conn: Connection) -> None:
        seen.add(conn.engine)

    event.listen(Engine, "engine_connect", note)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", note)
        for engine in seen:
            engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def module_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The same as `database`, for apps that a whole module shares."""
    yield from _database(request)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings that choose a database: a test that uses them runs on SQLite and on a real
    PostgreSQL.
    """
    yield from _database(request)


def _database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        yield {}
        return
    with request.getfixturevalue("postgres_url")(asked_for(request)) as url:
        yield {"QUOTA_DATABASE_URL": url}


@pytest.fixture(scope="session")
def made_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder whose database has its schema, for copying."""
    folder = tmp_path_factory.mktemp("made")
    with open_installation(folder):
        pass
    return folder / "instance"


@pytest.fixture(scope="session")
def fillings(tmp_path_factory: pytest.TempPathFactory, made_instance: Path) -> Fillings:
    return Fillings(made_instance, lambda: tmp_path_factory.mktemp("filled"))


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the texts that are brought into a normal form during the test: that takes the
    square of a length.
    """
    lengths: list[int] = []
    real = unicodedata.normalize

    def noted(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
        lengths.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    return lengths


@pytest.fixture
def codex() -> Iterator[FakeCodex]:
    with FakeCodex() as fake:
        yield fake


@pytest.fixture
def installation(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    codex: FakeCodex,
    made_instance: Path,
    fillings: Fillings,
) -> Iterator[Installation]:
    """An installation whose upstream is `codex`, with an empty database or with what the mark
    `filled` says.

    A module that says `pytestmark = pytest.mark.usefixtures("database")` runs with each kind of
    database.
    """
    settings = request.getfixturevalue("database") if "database" in request.fixturenames else {}
    filling = asked_for(request)
    template = fillings.instance(filling) if filling and not settings else made_instance
    with open_installation(tmp_path, codex, template=template, **settings) as installation:
        yield installation


@pytest.fixture
def browser(installation: Installation) -> Iterator["Visitor"]:
    """A signed-in browser, of the kind that needs no server, on the house; see tests/pages.py."""
    from tests.pages import visiting

    with visiting(installation) as browser:
        yield browser


#: Where files take long: begun last, one of them would run on while the other worker is idle.
_LONG_ROOMS = frozenset({"faults", "in_browser", "serving", "project", "refresh", "store", "web"})


def _spread(items: Sequence[pytest.Item]) -> dict[Path, float]:
    """How far within its room each file stands, from 0 to 1."""
    rooms: dict[Path, list[Path]] = {}
    for path in dict.fromkeys(item.path for item in items):
        rooms.setdefault(path.parent, []).append(path)
    return {
        path: (number + 0.5) / len(files)
        for files in rooms.values()
        for number, path in enumerate(files)
    }


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take long, and leave the long fault suite out unless it is asked
    for.
    """
    # The rooms are mixed: one whose tests wait runs beside one whose tests compute.
    spread = _spread(items)
    items.sort(key=lambda item: (_LONG_ROOMS.isdisjoint(item.path.parts), spread[item.path]))
    if os.environ.get("QUOTA_FAULTS") == "1" or "faults" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Close with a line that names all three counts, also those that are 0."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        reporter is not None
        and not hasattr(session.config, "workerinput")
        and not session.config.option.collectonly
    ):
        passed, failed, errors, skipped = (
            len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped")
        )
        reporter.write_line(f"{passed} passed, {failed + errors} failed, {skipped} skipped")
    return result
