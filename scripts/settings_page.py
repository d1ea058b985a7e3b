"""Writes the tables of docs/settings.md from the settings that quota_web/config.py declares.

.venv/bin/python scripts/settings_page.py            writes the page
.venv/bin/python scripts/settings_page.py --check    exit status 1 where it is out of date
"""

import re
import sys
from dataclasses import Field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs/settings.md"
sys.path.insert(0, str(PROJECT))

from quota_web import config  # noqa: E402 - the path comes first
from quota_web.core.environment import Variable  # noqa: E402


def page_with_tables(page: str) -> str:
    """*page* with a table of today's settings under each heading that settings name."""
    tables: dict[str, list[str]] = {}
    for field, variable in config.declared():
        row = f"| `{variable.name}` | {_default(field, variable)} | {variable.help} |\n"
        tables.setdefault(variable.section, []).append(row)
    for section, rows in tables.items():
        table = "| variable | default | meaning |\n|---|---|---|\n" + "".join(rows)
        heading = f"## {section}\n\n"
        before, _, rest = page.partition(heading)
        page = before + heading + table + re.sub(r"^(\|.*\n)*", "", rest)
    return page


def _default(field: Field[Any], variable: Variable) -> str:
    if variable.default is not None:
        return variable.default
    return "none" if field.default in (None, "", ()) else f"`{field.default}`"


def main() -> int:
    """Write the page, or only look whether it is up to date."""
    old = PAGE.read_text(encoding="utf-8")
    new = page_with_tables(old)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if new == old:
        return 0
    print("docs/settings.md: the tables are out of date: run scripts/settings_page.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
