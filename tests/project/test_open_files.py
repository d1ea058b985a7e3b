"""The check that follows each test file sees what stays open, and only that."""

import socket

import pytest

from quota_web import store
from quota_web.codex.auth_file import read_file
from quota_web.core.errors import CredentialsRefused, DatabaseDamaged
from quota_web.factory import create_app
from quota_web.services import services
from tests.installation import Installation
from tests.open_files import left_open, open_files


def test_a_forgotten_file_and_a_forgotten_socket_are_named(tmp_path):
    before = open_files()
    with (tmp_path / "notes").open("w"), socket.socket():
        left = left_open(before, patience=0)

    assert left[0] == str(tmp_path / "notes")
    assert left[1].startswith("socket:")
    assert left_open(before) == []


@pytest.mark.parametrize("pages", [True, False])
def test_an_app_that_nobody_holds_any_more_leaves_no_file_open(tmp_path, pages):
    before = open_files()
    installation = Installation(tmp_path)
    app = create_app(installation.app.config["SETTINGS"], pages=pages)
    with app.app_context():
        services().ready()
        with store.database.reading():
            assert any("quota.sqlite" in name for name in left_open(before, patience=0))
    del installation, app

    assert left_open(before) == []


def test_an_app_whose_database_is_damaged_leaves_no_file_open_either(tmp_path):
    before = open_files()
    installation = Installation(tmp_path)
    installation.instance.mkdir()
    installation.database.write_bytes(b"this is no database" * 100)
    for _ in range(3):
        with installation.app.app_context(), pytest.raises(DatabaseDamaged):
            services().ready()
    assert [name for name in open_files() - before if name.endswith(".in-use")] == []
    del installation

    assert left_open(before) == []


def test_a_folder_in_an_auth_files_place_is_not_kept_open(tmp_path):
    before = open_files()
    for _ in range(3):
        with pytest.raises(CredentialsRefused, match="not a regular file"):
            read_file(tmp_path)

    assert list((open_files() - before).elements()) == []
