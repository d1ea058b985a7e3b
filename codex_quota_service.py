"""The classic service: `python codex_quota_service.py [options]`."""

import sys

from quota_web.serving.classic_service import service

if __name__ == "__main__":
    sys.exit(service(sys.argv[1:]))
