"""How a test asks for a real program: its path, a skip that says what to install, or a failure
where skips are not accepted.
"""

import pytest

from tests.parts import PARTS, Part, missing_packages, require


@pytest.fixture(autouse=True)
def a_missing_part(monkeypatch):
    monkeypatch.setitem(PARTS, "teapot", Part(("teapot-that-nobody-has",), ("teapot",)))
    monkeypatch.delenv("QUOTA_REQUIRE_REAL_PARTS", raising=False)


def test_a_program_that_is_there_comes_as_its_path(monkeypatch):
    monkeypatch.setitem(PARTS, "shell", Part(("sh",), ("dash",)))

    assert require("shell").endswith("/sh")


def test_a_missing_one_skips_and_says_what_to_install():
    with pytest.raises(
        pytest.skip.Exception, match=r"^teapot is not installed: apt-get install teapot$"
    ):
        require("teapot")


def test_a_missing_one_fails_where_real_parts_are_required(monkeypatch):
    monkeypatch.setenv("QUOTA_REQUIRE_REAL_PARTS", "1")

    with pytest.raises(pytest.fail.Exception, match="teapot is not installed"):
        require("teapot")


def test_packages_to_install_are_those_of_missing_parts():
    assert "teapot" in missing_packages()
