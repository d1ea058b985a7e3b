"""Limits that several rooms share stand in one place."""

import re

from quota_web.core.checkout import PROJECT

SHARED = r"\b2 \* 1024 \* 1024\b|\b2 << 20\b|\b1_?767_?225_?600\b"


def test_shared_limits_stand_once():
    found = [
        str(path.relative_to(PROJECT / "quota_web"))
        for path in (PROJECT / "quota_web").rglob("*.py")
        if re.search(SHARED, path.read_text(encoding="utf-8"))
    ]

    assert found == ["core/limits.py"]
