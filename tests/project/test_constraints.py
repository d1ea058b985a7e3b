"""`constraints.txt` holds a version of all that the tests install, within the ranges."""

import re
from collections.abc import Iterable
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from quota_web.core.checkout import PROJECT

RENEW = "run scripts/constraints"


def lines(file: str) -> list[str]:
    """What a file of requirements names, without comments and other files."""
    text = (PROJECT / file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and line[0] not in "#-"]


def named(pattern: str = "requirements*.txt") -> list[Requirement]:
    """What the files of that name ask for."""
    files = [path.name for path in PROJECT.glob(pattern)]
    return [Requirement(line) for file in files for line in lines(file)]


def needed(asked: Iterable[Requirement]) -> set[str]:
    """All that comes with what is asked for, on this Python."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(one.name), extra) for one in asked for extra in ("", *one.extras)]
    while waiting:
        name, extra = one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for text in requires(name) or []:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(wanted.name), more) for more in ("", *wanted.extras)]
    return {name for name, _ in found}


def test_each_library_of_the_tests_has_its_version():
    fixed = {canonicalize_name(Requirement(line).name) for line in lines("constraints.txt")}

    assert needed(named()) - fixed == set(), RENEW


def test_each_version_is_exact_and_within_its_range():
    pinned = {}
    for line in lines("constraints.txt"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line
        name, _, version = line.partition("==")
        pinned[canonicalize_name(name)] = version

    wrong = [
        str(one) for one in named() if pinned[canonicalize_name(one.name)] not in one.specifier
    ]
    assert wrong == [], RENEW
