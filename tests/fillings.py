"""What an installation begins with, if not with nothing: invented accounts and their history, made
once by a worker and copied for each test that asks for them.

@pytest.mark.filled(9, 30, forecasts=True)
def test_it_shows_a_month(installation):
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from quota_web.demo import fill
from quota_web.foresight import forecast_pass
from tests.emptied_databases import TEMPLATE, EmptiedDatabases
from tests.fakes import NOW
from tests.installation import open_installation
from tests.postgres import Server

HOUR = 3_600
#: Marks that several files use.
MONTH = pytest.mark.filled(9, 30, forecasts=True)
TWO_ACCOUNTS = pytest.mark.filled(2, 40, forecasts=True)


@dataclass(frozen=True)
class Filling:
    """So many accounts with so many days of history up to NOW; with what is said of their future,
    if that is wanted.
    """

    accounts: int
    days: int
    forecasts: bool = False

    def make(self) -> None:
        """Fill the database of the open app."""
        fill.fill(self.accounts, self.days, NOW)
        if self.forecasts:
            forecast_pass.run(NOW, HOUR, None)


def asked_for(request: pytest.FixtureRequest) -> Filling | None:
    """What the mark `filled` of a test says."""
    mark = request.node.get_closest_marker("filled")
    return Filling(*mark.args, **mark.kwargs) if mark else None


class Fillings:
    """Each is made once, on each kind of database by the program itself, and only if it is asked
    for.
    """

    def __init__(self, empty: Path, new_folder: Callable[[], Path]) -> None:
        """*empty* is an instance folder whose database has its schema."""
        self._empty, self._new_folder = empty, new_folder
        self.instance = cache(self._instance)
        self.databases = cache(self._databases)

    def _instance(self, filling: Filling) -> Path:
        """An instance folder for copying."""
        return self._made(filling, {}) / "instance"

    def _databases(self, server: Server, filling: Filling) -> EmptiedDatabases:
        """Databases on *server* that begin with it."""
        url = server.new_database(TEMPLATE)
        self._made(filling, {"QUOTA_DATABASE_URL": url})
        return EmptiedDatabases(server, server.name(url))

    def _made(self, filling: Filling, settings: dict[str, str]) -> Path:
        folder = self._new_folder()
        with open_installation(folder, None, template=self._empty, **settings):
            filling.make()
        return folder
