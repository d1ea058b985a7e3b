"""Names that read like one another are both allowed, and both are marked wherever one is chosen."""

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core import lookalikes, names
from quota_web.core.lookalikes import marks
from tests.logins import document

LATIN, CYRILLIC = "alice", "\u0430lice"
MARK = "reads like another account: “\u0430” is CYRILLIC SMALL LETTER A"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LATIN, CYRILLIC),
        ("Omega", "\u039fmega"),
        ("iris", "\u0456ris"),
        ("Iris", "lris"),
        ("bob", "B0B"),
        ("team 1", "team l"),
        ("a b", "a  b"),
        ("a-b", "a\u2013b"),
        ("\u0441\u043e\u0440\u0435", "cope"),
    ],
)
def test_names_that_read_alike_are_marked_both(one, other):
    assert names.fold(one) != names.fold(other)
    assert set(marks([one, "carol", other])) == {one, other}


@pytest.mark.parametrize(
    "given",
    [
        [LATIN, "alice 2", "al1ce", "Bob"],
        [CYRILLIC],
        ["\u043c\u0430\u0440\u0438\u044f", "maria"],
        ["团队", "团队 2"],
        [],
    ],
)
def test_names_that_differ_or_stand_alone_are_not(given):
    assert marks(given) == {}


def test_a_mark_names_the_letters_that_tell_it_from_the_others():
    assert marks([LATIN, CYRILLIC])[CYRILLIC] == MARK
    assert marks(["a b", "a  b"])["a  b"] == "reads like another account"


def test_a_long_name_is_folded_once_it_is_one(normalised):
    lookalikes.skeleton("x" * names.MAX_NAME)

    assert max(normalised, default=0) <= names.MAX_NAME


@pytest.fixture
def two(installation):
    for number, name in enumerate((LATIN, CYRILLIC)):
        account_service.add(
            installation.services.cipher,
            name,
            auth_file.parse(document(f"acct-{number}", f"user-{number}")),
            installation.now,
            "test",
        )
    return installation


@pytest.mark.parametrize(
    "path", ["/", "/auth", f"/accounts/{CYRILLIC}", f"/auth/delete?name={CYRILLIC}"]
)
def test_pages_mark_them(two, browser, path):
    assert MARK in browser.get(path).text


def test_the_list_of_the_command_line_marks_them(two):
    done = two.run("accounts", "list")

    assert f"{CYRILLIC}: {MARK}\n" in done.stderr
    assert MARK not in done.stdout
