"""What holds for every test: no setting from outside, no way to the real upstream, a folder of its own."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

#: Switches of the test run itself; all other QUOTA_* variables are settings of the app.
SWITCHES = {"QUOTA_FAULTS", "QUOTA_REQUIRE_REAL_PARTS"}
WAYS_OUT = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Take the developer's own settings away, and lead https into a dead end: a test that forgets its fake fails at once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if (name.startswith(("QUOTA_", "FLASK_")) and name not in SWITCHES) or name.upper() in WAYS_OUT:
                patch.delenv(name)
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        patch.setenv("NO_PROXY", "localhost,127.0.0.1,::1")
        yield


@pytest.fixture
def instance_dir(tmp_path: Path) -> Path:
    """An empty instance folder that only this user can enter."""
    folder = tmp_path / "instance"
    folder.mkdir(mode=0o700)
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long fault suite out, unless it is asked for."""
    if os.environ.get("QUOTA_FAULTS") == "1" or "faults" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Close with a line that names all three counts, also those that are 0."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        passed, failed, errors, skipped = (len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped"))
        reporter.write_line(f"{passed} passed, {failed + errors} failed, {skipped} skipped")
    return result
