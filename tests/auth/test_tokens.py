"""API tokens: made once, known by their hash, used, revoked."""

import re

import pytest

from quota_web import store
from quota_web.auth import tokens
from quota_web.core import clock
from quota_web.core.errors import BadInput
from tests.browser import audit, make_app
from tests.fakes import NOW


@pytest.fixture
def app(instance_dir, database):
    app = make_app(instance_dir, **database)
    with app.app_context(), clock.frozen(NOW):
        yield app


def test_a_token_is_known_by_itself_and_kept_as_a_hash(app, instance_dir):
    name, token = tokens.create(" prometheus ", False, NOW, "test")

    found = tokens.known(token.reveal(), NOW)

    assert name == "prometheus"
    assert re.fullmatch(r"cq_[\w-]{43}", token.reveal())
    assert found is not None
    assert (found.name, found.can_write) == ("prometheus", False)
    assert token.reveal().encode() not in b"".join(
        file.read_bytes() for file in instance_dir.glob("quota.sqlite*")
    )
    assert audit()[0] == "token_created"


@pytest.mark.parametrize(
    "other",
    [
        "",
        "cq_",
        "cq_" + "A" * 43,
        "cq_" + "A" * 44,
        "x" * 46,
        "cq_é" + "A" * 42,
        "cq_" + "A" * 100_000,
    ],
)
def test_any_other_token_is_not(app, other):
    tokens.create("prometheus", False, NOW, "test")

    assert tokens.known(other, NOW) is None


def test_the_last_use_is_noted_at_most_hourly(app):
    token = tokens.create("prometheus", False, NOW, "test")[1].reveal()
    seen = []
    for at in (NOW, NOW + 3599, NOW + 3600):
        tokens.known(token, at)
        seen.append(tokens.listed()[0].last_used_at)

    assert seen == [NOW, NOW, NOW + 3600]


def test_a_revoked_token_is_worthless_at_once(app):
    token = tokens.create("prometheus", True, NOW, "test")[1].reveal()

    assert tokens.revoke("prometheus", NOW, "test") == "prometheus"
    assert tokens.known(token, NOW) is None
    assert audit()[0] == "token_revoked"
    with pytest.raises(BadInput, match="no token prometheus"):
        tokens.revoke("prometheus", NOW, "test")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "prometheus"])
def test_a_token_needs_a_name_of_its_own(app, name):
    tokens.create("prometheus", False, NOW, "test")

    with pytest.raises(BadInput) as raised:
        tokens.create(name, False, NOW, "test")
    assert raised.value.field == "token_name"


def test_a_database_that_cannot_be_written_still_knows_tokens(instance_dir):
    with make_app(instance_dir).app_context():
        _use_without_writing()


def _use_without_writing():
    token = tokens.create("prometheus", False, NOW, "test")[1].reveal()
    with store.database.reading() as conn:
        conn.exec_driver_sql("PRAGMA query_only=ON")
    try:
        assert tokens.known(token, NOW) is not None
    finally:
        with store.database.reading() as conn:
            conn.exec_driver_sql("PRAGMA query_only=OFF")
