"""What docs/upgrading.md says of the copies that are kept is what the program keeps."""

import re

from quota_web import store
from quota_web.core.checkout import PROJECT

PAGE = (PROJECT / "docs" / "upgrading.md").read_text(encoding="utf-8")


def test_the_kept_copies_are_those_of_the_page():
    versions = re.findall(r"quota\.sqlite\.before-(\d{4})-from-(\d{4})", PAGE)

    assert len(versions) == 3
    assert {one for pair in versions for one in pair} <= set(store.schema.KNOWN)
    assert store.schema.KEPT_COPIES == 3
    assert "the newest three are kept" in PAGE
