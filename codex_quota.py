"""The classic command: `python codex_quota.py [account_name] [options]`."""

import sys

from quota_web.classic import command

if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
