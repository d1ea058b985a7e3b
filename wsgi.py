"""Where gunicorn and `flask` find the app."""

import sys

from quota_web.errors import BadSetting
from quota_web.factory import create_app

try:
    # `flask quota …` shows no page; every other program that loads this serves them.
    app = create_app(pages=sys.argv[1:2] != ["quota"])
except BadSetting as error:
    print(error, file=sys.stderr)
    sys.exit(4)
