"""`flask quota password` and `flask quota token …`."""

import pytest

from quota_web.auth import login, tokens
from quota_web.auth.login import NewPassword
from quota_web.core import clock
from quota_web.core.errors import BadInput
from tests.browser import PASSWORD, first_start, gate_of, make_app
from tests.fakes import NOW

HERE, BASE = "192.0.2.1", "http://localhost:8081"
NEW = "another long password"


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        yield app


@pytest.fixture
def bare(instance_dir):
    """An app at its first start, without a password."""
    app = first_start(instance_dir)
    with app.app_context(), clock.frozen(NOW):
        yield app


def code_of(link: str | None) -> str:
    return (link or "").partition("#setup=")[2]


def run(app, *arguments: str, **more):
    return app.test_cli_runner().invoke(args=["quota", *arguments], **more)


def test_command_sets_the_password_and_voids_the_link(bare, instance_dir):
    code = code_of(login.setup_link(gate_of(bare), BASE, NOW))
    before = login.epoch()

    done = run(bare, "password", input=f"{PASSWORD}\n")

    assert (done.exit_code, PASSWORD in done.output) == (0, False)
    assert login.epoch() != before
    assert login.sign_in(gate_of(bare), PASSWORD, HERE, NOW) is not None
    assert not (instance_dir / "setup-link").exists()
    with pytest.raises(BadInput):
        login.choose_first(gate_of(bare), code, NewPassword(NEW), HERE, NOW)


@pytest.mark.parametrize("typed", ["", "short\n", "x" * 1001])
def test_command_refuses_a_weak_password(app, typed):
    done = run(app, "password", input=typed)

    assert done.exit_code == 1
    assert "characters" in done.output
    assert login.sign_in(gate_of(app), PASSWORD, HERE, NOW) is not None


def test_command_says_that_the_setting_wins(instance_dir):
    app = make_app(instance_dir, QUOTA_PASSWORD="from the environment")

    done = run(app, "password", input=f"{NEW}\n")

    assert done.exit_code == 1
    assert "QUOTA_PASSWORD" in done.output


def test_commands_make_list_and_revoke_tokens(app):
    made = run(app, "token", "create", "nightly", "--write")
    token = made.stdout.strip()

    found = tokens.known(token, NOW)
    listed = run(app, "token", "list")
    revoked = run(app, "token", "revoke", "nightly")

    assert found is not None
    assert found.can_write
    assert "nightly  read, write" in listed.output
    assert token not in listed.output
    assert revoked.output == "nightly: revoked\n"
    assert tokens.known(token, NOW) is None


def test_command_refuses_a_second_token_of_a_name_and_an_unknown_one(app):
    assert run(app, "token", "create", "nightly").exit_code == 0
    assert run(app, "token", "create", "nightly").exit_code == 1
    assert run(app, "token", "revoke", "weekly").exit_code == 1
