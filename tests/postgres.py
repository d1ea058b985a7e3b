"""A real PostgreSQL for tests: one server a test run, one empty database a test.

with Server(folder) as server:
    url = server.new_database()
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import parts

if TYPE_CHECKING:
    import psycopg

#: Durability costs time and proves nothing here: the server is thrown away. It looks at no table by
#: itself, so a statement's plan is the same in each run.
FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "unix_socket_permissions=0777",
    "autovacuum=off",
)


class Server:
    """PostgreSQL on a Unix socket in a folder of its own.

    As root it runs as another user, because it refuses to run as root.
    """

    def __init__(self) -> None:
        self._bin = Path(parts.require("postgres")).resolve().parent
        self._user = _somebody() if os.geteuid() == 0 else None
        # A socket's path has at most 107 characters, which pytest's own folders use up.
        self._folder = Path(tempfile.mkdtemp(prefix="quota-pg-"))
        self._numbers = itertools.count(1)
        #: Kept open: to connect takes longer than most statements.
        self._own: psycopg.Connection[Any] | None = None

    def __enter__(self) -> "Server":
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        data = self._folder / "data"
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "quota",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        with open(data / "postgresql.conf", "a", encoding="utf-8") as config:
            config.write(
                "".join(
                    f"{line.replace('=', ' = ', 1)}\n"
                    for line in (
                        *FAST,
                        f"unix_socket_directories='{self._folder}'",
                        "listen_addresses=''",
                    )
                )
            )
        self._run(
            "pg_ctl", "-D", str(data), "-l", str(self._folder / "log"), "-w", "-t", "60", "start"
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self, template: str = "template1") -> str:
        """The URL of an empty database, or of a copy of *template*, to which nobody may be
        connected.
        """
        name = f"quota_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def renamed(self, url: str) -> str:
        """The URL of the same database, to which nobody may be connected, under a name that none
        had.
        """
        name = f"quota_{next(self._numbers)}"
        self.execute(f"ALTER DATABASE {self.name(url)} RENAME TO {name}")
        return self.url(name)

    def name(self, url: str) -> str:
        return url.partition("@/")[2].partition("?")[0]

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://quota@/{name}?host={self._folder}"

    @property
    def socket(self) -> str:
        """The path of its Unix socket."""
        return str(self._folder / ".s.PGSQL.5432")

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {self.name(url)} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        if self._own is None:
            self._own = self.connected("postgres")
        self._own.execute(statement.encode())

    def connected(self, database: str) -> "psycopg.Connection[Any]":
        """A connection, as a context manager; each statement is a transaction."""
        import psycopg

        return psycopg.connect(f"host={self._folder} user=quota dbname={database}", autocommit=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=100,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}")


def _somebody() -> str:
    """A user without rights that every system has."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)
