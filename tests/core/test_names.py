"""What an account may be called, and when two names are the same."""

import pytest

from quota_web.core import names
from quota_web.core.errors import BadInput


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "alice",
        "Alice Müller",
        "alice@example.com",
        "团队 1",
        "a.b",
        "a..b",
        "x" * 80,
        "🦊",
        "-rf",
        "CON",
        "100%",
    ],
)
def test_ordinary_names_are_taken(name):
    assert names.validate(name) == name


def test_blanks_around_a_name_are_dropped():
    assert names.validate("  alice \n") == "alice"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "give the account a name"),
        ("   ", "give the account a name"),
        ("x" * 81, "at most 80"),
        ("a/b", "no /"),
        ("a\\b", "no /"),
        ("../x", "no /"),
        (".", "dot"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("a\nb", "printable"),
        ("a\0b", "printable"),
        ("a\x1b[31m", "printable"),
        ("a\u202eb", "printable"),
        ("a\u200db", "printable"),
        ("a\udcffb", "printable"),
        ("🦊" * 62, "shorter"),
        ("\ufdfa" * 15, "shorter"),
    ],
)
def test_what_steers_a_path_or_a_terminal_is_no_name(name, reason):
    with pytest.raises(BadInput) as refused:
        names.validate(name)

    assert refused.value.field == "name"
    assert reason in refused.value.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("straße", "STRASSE"),
        ("Ångström", "A\u030angström"),
        ("ﬁ", "fi"),
        ("Ⅳ", "iv"),
    ],
)
def test_names_that_read_alike_are_the_same(one, other):
    assert names.fold(one) == names.fold(other)


def test_names_that_differ_stay_apart():
    assert len({names.fold(name) for name in ("alice", "alice 2", "a lice", "al1ce", "аlice")}) == 5


def test_a_text_from_outside_becomes_one_harmless_line():
    assert names.printable("a\nb\x1b[31m\udcff ü") == r"a\nb\x1b[31m\udcff ü"


def test_what_is_too_long_for_a_name_is_no_names_key_and_never_folded(normalised):
    long = ["a" + "\u0301\u0323" * 200_000, "ss" * 40 + "a", "x" * 81]

    keys = {names.fold(name) for name in long}

    assert keys.isdisjoint({names.fold("ß" * 40 + "a"), names.fold("x" * 80), names.fold("a")})
    assert len(keys) == 3
    assert all(len(key) <= names.MAX_NAME + 1 for key in keys)
    assert max(normalised) <= names.MAX_NAME


def test_a_name_that_tells_who_somebody_is_is_shared_as_a_number():
    shown = names.shareable(["work", "a@b.c", "Account 1", "c@d.e", "rt_0123456789abcdef"])

    assert list(shown.values()) == ["work", "account 2", "Account 1", "account 3", "account 4"]


@pytest.mark.parametrize("name", ["at-work-laptop", "user-research", "account 7", "org_2"])
def test_a_name_of_plain_words_is_shared_as_it_is(name):
    assert names.shareable([name]) == {name: name}
