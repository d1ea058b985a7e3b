"""Everything in this folder is a fault test: it runs with QUOTA_FAULTS=1 or -m faults."""

from pathlib import Path

import pytest

from tests.faults.figures import Figures

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node.nodeid.partition("[")[0])
