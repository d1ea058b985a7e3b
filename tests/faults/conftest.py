"""Everything in this folder is a fault test: it runs with QUOTA_FAULTS=1 or -m faults."""

from pathlib import Path

import pytest

from tests.faults.figures import Figures, asked

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
            # 0: larger counts take as long as they take.
            item.add_marker(pytest.mark.timeout(900 if asked() == "1" else 0))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node.nodeid.partition("[")[0])
