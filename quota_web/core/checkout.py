"""Whether this copy of the program is a checkout (or an image) or was installed from a wheel.

Both hold the same files; an installed one has the migrations inside the package and is called by
another name.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
#: The folder that holds the package: the checkout, or where packages are installed.
PROJECT = PACKAGE.parent
IS_CHECKOUT = (PROJECT / "migrations").is_dir()
MIGRATIONS = (PROJECT if IS_CHECKOUT else PACKAGE) / "migrations"
#: How a person calls what `flask quota` does.
COMMAND = "scripts/quota" if IS_CHECKOUT else "codex-quota"
