"""The link of a sign-in, and the address that is pasted back."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from quota_web.codex import pasted_callback
from quota_web.codex.pasted_callback import Pasted

STATE = "state-of-this-sign-in"
AT_END = "http://localhost:1455/auth/callback"


def test_the_link_holds_the_challenge_and_never_the_verifier():
    address = pasted_callback.link("app_x", "verifier-1", STATE)
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

    digest = hashlib.sha256(b"verifier-1").digest()
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert (query["code_challenge_method"], query["state"]) == ("S256", STATE)
    assert query["redirect_uri"] == AT_END
    assert query["scope"] == "openid profile email offline_access"
    assert "verifier-1" not in address


@pytest.mark.parametrize(
    ("pasted", "what"),
    [
        (f"{AT_END}?code=ac_1&scope=openid&state={STATE}", Pasted.CODE),
        (f"  http://127.0.0.1:1455/auth/callback?code=ac_1&state={STATE}\n", Pasted.CODE),
        (f"code=ac_1&state={STATE}", Pasted.CODE),
        (f"?code=ac_1&state={STATE}", Pasted.CODE),
        (f"{AT_END}?error=access_denied&state={STATE}", Pasted.DECLINED),
        (f"{AT_END}?code=ac_1&state=other", Pasted.FOREIGN),
        (f"{AT_END}?code=ac_1", Pasted.FOREIGN),
        ("https://auth.openai.com/oauth/authorize?response_type=code", Pasted.LINK),
        ("http://localhost:1455/success?id_token=x", Pasted.TAKEN),
        ("", Pasted.UNKNOWN),
        ("hello", Pasted.UNKNOWN),
        ("http://[", Pasted.UNKNOWN),
        ("x" * 10_000, Pasted.UNKNOWN),
    ],
)
def test_what_is_pasted_is_told_apart(pasted, what):
    found = pasted_callback.read(pasted, pasted_callback.state_hash(STATE))
    assert (found.what, found.code) == (what, "ac_1" if what is Pasted.CODE else None)
