"""What a password must be, and how it is hashed and compared."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quota_web.auth import passwords
from quota_web.core.errors import BadInput, TooManyTries
from tests.browser import CHEAP, PASSWORD
from tests.installation import wait_until


@pytest.mark.parametrize(
    ("new", "again", "field"),
    [
        ("elevenchars", None, "password"),
        ("x" * 1001, None, "password"),
        ("x" * 12, "x" * 13, "password_again"),
    ],
)
def test_a_password_is_long_enough_not_too_long_and_typed_twice_alike(new, again, field):
    with pytest.raises(BadInput) as raised:
        passwords.validate(new, again)

    assert raised.value.field == field


def test_twelve_characters_are_enough():
    assert passwords.validate("x" * 12, "x" * 12) == "x" * 12


def test_a_hash_fits_its_password_alone_and_says_nothing_about_it():
    stored = passwords.hash_password(PASSWORD, CHEAP)

    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert passwords.verify(stored, PASSWORD, CHEAP)
    assert not passwords.verify(stored, PASSWORD + " ", CHEAP)
    assert not passwords.verify(stored, "", CHEAP)
    assert stored != passwords.hash_password(PASSWORD, CHEAP)


def test_what_is_no_hash_fits_nothing():
    assert not passwords.verify("not a hash", PASSWORD, CHEAP)
    assert not passwords.verify(None, PASSWORD, CHEAP)


def test_one_password_typed_on_two_keyboards_is_the_same():
    assert passwords.verify(
        passwords.hash_password("caf\u00e9 au lait!", CHEAP), "cafe\u0301 au lait!", CHEAP
    )
    assert passwords.same("caf\u00e9", "cafe\u0301")


@pytest.mark.parametrize("odd", ["\ud800" * 12, "\x00" * 12, "пароль-пароль", "🔑" * 12])
def test_odd_passwords_work_too(odd):
    assert passwords.verify(passwords.hash_password(odd, CHEAP), odd, CHEAP)


def test_at_most_two_are_hashed_at_once():
    running, most, lock = 0, 0, threading.Lock()

    def hash_one(_):
        nonlocal running, most
        with passwords.turn(first=True):
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.01)
            with lock:
                running -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(hash_one, range(24)))

    assert most == passwords.AT_ONCE


def test_known_clients_are_served_before_strangers_and_few_strangers_wait():
    said: list[str] = []

    def wait() -> None:
        try:
            with passwords.turn():
                said.append("stranger")
        except TooManyTries:
            said.append("stranger was refused")

    with passwords.turn():
        strangers = [threading.Thread(target=wait) for _ in range(passwords.MOST_WAITING + 5)]
        for stranger in strangers:
            stranger.start()
        wait_until(lambda: len(said) == 5)
        assert said == ["stranger was refused"] * 5
        assert passwords.waiting() == passwords.MOST_WAITING
        with passwords.turn(first=True):
            said.append("owner")
    for stranger in strangers:
        stranger.join()

    assert said[5:] == ["owner", *["stranger"] * passwords.MOST_WAITING]


@pytest.mark.parametrize(
    "letters", ["x" * 1001, "a" + "\u0301\u0323" * 200_000], ids=["just too long", "of accents"]
)
def test_what_nobody_types_is_wrong_and_never_normalised(normalised, letters):
    stored = passwords.hash_password(PASSWORD, CHEAP)

    assert not passwords.verify(stored, letters, CHEAP)
    assert not passwords.same(PASSWORD, letters)
    assert max(normalised, default=0) <= passwords.MAX_LENGTH
