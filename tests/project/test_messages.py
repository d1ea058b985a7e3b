"""Each message of the app is translated, and each translation belongs to a message.

`scripts/messages.py` adds new messages to quota_web/language/*.po and drops unused ones; what is
then empty is translated by hand.
"""

import subprocess
import sys

from quota_web.core.checkout import PROJECT


def test_every_message_is_translated_and_none_is_left_over():
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", str(PROJECT / "scripts" / "messages.py"), "--check"],
        capture_output=True,
        text=True,
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["Every message has its translation."]
