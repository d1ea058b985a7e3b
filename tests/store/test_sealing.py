"""Tokens at rest: sealed with a key that is made once, kept private, and never guessed or
replaced.
"""

import stat
import threading

import pytest

from quota_web.core.errors import BadSetting, KeyMissing
from quota_web.core.secret import Secret
from quota_web.store.encryption import ACCESS, IDENTITY, REFRESH, DecryptionFailed, TokenCipher
from tests.operations import sealed_alone

TOKEN = Secret("eyJ.CANARY-71b2.sig")


@pytest.fixture
def cipher(tmp_path):
    return TokenCipher(tmp_path / "instance")


def test_a_sealed_token_opens_again_and_shows_nothing(cipher):
    sealed = cipher.seal(TOKEN, 1, ACCESS)

    assert cipher.open(sealed, 1, ACCESS) == TOKEN
    assert b"CANARY" not in sealed
    assert cipher.seal(TOKEN, 1, ACCESS) != sealed


def test_the_key_is_made_at_first_use_and_is_private(cipher, tmp_path):
    assert not (tmp_path / "instance").exists()
    cipher.seal(TOKEN, 1, ACCESS)
    file = tmp_path / "instance" / "secret.key"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(file.read_bytes().strip()) >= 43
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_another_process_uses_the_same_key(cipher, tmp_path):
    sealed = cipher.seal(TOKEN, 1, ACCESS)

    assert TokenCipher(tmp_path / "instance").open(sealed, 1, ACCESS) == TOKEN
    assert TokenCipher(tmp_path / "instance").key_id == cipher.key_id


def test_all_who_start_at_once_end_up_with_one_key(tmp_path):
    for number in range(20):
        sealers = [TokenCipher(tmp_path / str(number)) for _ in range(8)]
        threads = [threading.Thread(target=lambda s=s: s.key_id) for s in sealers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({s.key_id for s in sealers}) == 1


def test_a_given_key_makes_no_file(tmp_path):
    cipher = TokenCipher(tmp_path / "instance", Secret("a key of more than 16"))
    sealed = cipher.seal(TOKEN, 1, ACCESS)

    assert not (tmp_path / "instance").exists()
    assert (
        TokenCipher(tmp_path / "elsewhere", Secret("a key of more than 16")).open(sealed, 1, ACCESS)
        == TOKEN
    )


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"not sealed",
        b"gAAAAA",
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:],
    ],
)
def test_changed_bytes_do_not_open(cipher, change):
    sealed = cipher.seal(TOKEN, 1, ACCESS)

    with pytest.raises(DecryptionFailed):
        cipher.open(change(sealed) if callable(change) else change, 1, ACCESS)


@pytest.mark.parametrize(
    ("owner", "kind"), [(2, ACCESS), (11, ACCESS), (1, REFRESH), (1, IDENTITY)]
)
def test_a_token_opens_in_its_own_place_alone(cipher, owner, kind):
    sealed = cipher.seal(TOKEN, 1, ACCESS)

    assert not cipher.opens(sealed, owner, kind)
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed, owner, kind)


def test_a_token_that_was_sealed_alone_opens_until_there_are_none_left(cipher, tmp_path):
    assert cipher.key_id
    sealed = sealed_alone(tmp_path / "instance" / "secret.key", TOKEN.reveal())

    assert cipher.open(sealed, 1, ACCESS) == TOKEN
    assert not cipher.is_present(sealed, 1, ACCESS)
    cipher.only_bound = True
    assert not cipher.opens(sealed, 1, ACCESS)
    assert cipher.opens(cipher.seal(TOKEN, 1, ACCESS), 1, ACCESS)


def test_another_key_does_not_open(cipher, tmp_path):
    with pytest.raises(DecryptionFailed):
        TokenCipher(tmp_path / "other").open(cipher.seal(TOKEN, 1, ACCESS), 1, ACCESS)


def test_older_keys_in_the_file_go_on_opening(tmp_path):
    old = TokenCipher(tmp_path / "a")
    sealed, old_id = old.seal(TOKEN, 1, ACCESS), old.key_id
    file = tmp_path / "a" / "secret.key"
    file.write_bytes(b"a newer key of 16 or more\n" + file.read_bytes())
    new = TokenCipher(tmp_path / "a")

    assert new.open(sealed, 1, ACCESS) == TOKEN
    assert new.key_ids[1:] == [old_id]
    assert not new.is_present(sealed, 1, ACCESS)


def test_cookies_and_tokens_have_keys_of_their_own(cipher):
    [cookie] = cipher.cookie_keys()

    assert len(cookie) == 32
    assert cipher.key_id not in cookie.hex()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"too short\n", b"long enough to be a key\nshort\n"]
)
def test_a_key_file_without_a_key_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "secret.key"
    file.write_bytes(content)

    with pytest.raises(BadSetting, match=r"secret\.key: holds no usable key"):
        TokenCipher(tmp_path).seal(TOKEN, 1, ACCESS)
    assert file.read_bytes() == content


def test_a_key_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "secret.key").mkdir()

    with pytest.raises(BadSetting, match=r"secret\.key"):
        TokenCipher(tmp_path).seal(TOKEN, 1, ACCESS)


def test_a_missing_key_is_told_apart_from_a_first_start(tmp_path):
    with pytest.raises(KeyMissing, match=r"secret\.key is missing"):
        TokenCipher(tmp_path).require_key()

    TokenCipher(tmp_path, Secret("given another way")).require_key()
    assert list(tmp_path.iterdir()) == []
