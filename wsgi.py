"""Where gunicorn and `flask` find the app."""

import sys

from quota_web.errors import BadSetting
from quota_web.factory import create_app

try:
    app = create_app()
except BadSetting as error:
    print(error, file=sys.stderr)
    sys.exit(4)
