"""The classic command: `python codex_quota.py [account_name] [options]`."""

import sys

from quota_web.classic import command
from quota_web.clock import process_began

if __name__ == "__main__":
    sys.exit(command(sys.argv[1:], process_began()))
