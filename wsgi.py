"""Where gunicorn and `flask` find the app."""

import gc
import sys

# What is loaded stays: looking through it for garbage, time and again and once more at the end,
# takes a command a fifth of its time.
gc.disable()

from quota_web.core.clock import process_began  # noqa: E402
from quota_web.core.errors import BadSetting  # noqa: E402
from quota_web.factory import create_app  # noqa: E402

try:
    # `flask quota …` shows no page; every other program that loads this serves them.
    is_command = sys.argv[1:2] == ["quota"]
    app = create_app(pages=not is_command)
    if is_command:
        app.extensions["quota_services"].began_at = process_began()
except BadSetting as error:
    print(error, file=sys.stderr)
    sys.exit(4)

gc.freeze()
gc.enable()
