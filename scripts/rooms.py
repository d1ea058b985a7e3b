"""Draws the rooms of quota_web and the arrows between them into CONTRIBUTING.md, from the imports.

.venv/bin/python scripts/rooms.py            writes the drawing
.venv/bin/python scripts/rooms.py --check    exit status 1 where the drawing is out of date
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "quota_web"
PAGE = PROJECT / "CONTRIBUTING.md"
START, END = "<!-- rooms: made by scripts/rooms.py -->", "<!-- rooms: end -->"

#: The rooms from the outside in: a room imports from rooms that stand after it.
ORDER = (
    "serving",
    "factory",
    "web",
    "cli",
    "alerts",
    "sign_ins",
    "extras",
    "maintenance",
    "reports",
    "refresh",
    "accounts",
    "auth",
    "demo",
    "foresight",
    "services",
    "store",
    "codex",
    "language",
    "config",
    "core",
)


def room_of(path: Path) -> str:
    """The folder of a module, or its own name where it lies in the root."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported_rooms(path: Path) -> Iterator[str]:
    """The rooms whose modules this file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("quota_web"):
            below = (node.module or "").split(".")[1:]
            yield from below[:1] or (alias.name for alias in node.names)


def arrows() -> dict[str, set[str]]:
    """Each room with the rooms that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        room = room_of(path)
        if room != "__init__":
            found[room] |= {other for other in imported_rooms(path) if other != room}
    return found


def purpose(room: str) -> str:
    """The first sentence of the room's docstring."""
    folder, module = PACKAGE / room / "__init__.py", PACKAGE / f"{room}.py"
    path = folder if folder.exists() else module
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return first.split(". ")[0].rstrip(".") + "."


def drawing() -> str:
    """The rooms as a table, outermost first, each with its purpose and its arrows."""
    found = arrows()
    rooms = [room for room in ORDER if room in found] + sorted(set(found) - {*ORDER, "version"})
    lines = ["| room | what belongs there | imports |", "|---|---|---|"]
    for room in rooms:
        targets = [f"`{other}`" for other in rooms if other in found[room]]
        lines.append(f"| `{room}` | {purpose(room)} | {' '.join(targets) or '–'} |")
    return "\n".join(lines)


def page_with(drawn: str) -> str:
    """CONTRIBUTING.md with *drawn* between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{drawn}\n{END}{after}"


def main() -> int:
    """Write the drawing, or only look whether it is up to date."""
    page = page_with(drawing())
    if "--check" not in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if page == PAGE.read_text(encoding="utf-8"):
        return 0
    print("CONTRIBUTING.md: the drawing of the rooms is out of date: run scripts/rooms.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
