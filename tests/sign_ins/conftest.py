"""An installation whose sign-ins are an issuer's on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeCodex
from tests.installation import Installation, open_installation
from tests.issuer import FakeIssuer
from tests.sign_ins.house import House


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    """See tests/issuer.py; whatever a test does, no token is sent twice and nothing is revoked."""
    with FakeIssuer() as fake:
        yield fake
        fake.assert_gentle()


@pytest.fixture
def installation(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    codex: FakeCodex,
    issuer: FakeIssuer,
    made_instance: Path,
) -> Iterator[Installation]:
    settings = request.getfixturevalue("database") if "database" in request.fixturenames else {}
    with open_installation(
        tmp_path, codex, template=made_instance, QUOTA_AUTH_URL=issuer.url, **settings
    ) as installation:
        yield installation


@pytest.fixture
def house(installation: Installation, issuer: FakeIssuer) -> House:
    return House(installation, issuer)
