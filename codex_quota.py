"""The classic command: `python codex_quota.py [account_name] [options]`."""

import sys

from quota_web.core.clock import process_began
from quota_web.serving.classic_command import command

if __name__ == "__main__":
    sys.exit(command(sys.argv[1:], process_began()))
