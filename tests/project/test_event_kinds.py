"""Every kind of event that the code writes is listed, so that one place says who may read it, and
has words.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from quota_web.core import event_visibility, labels
from quota_web.foresight import Kind

PACKAGE = Path(__file__).resolve().parent.parent.parent / "quota_web"
#: What writes an event, and at which place it takes the kind.
WRITERS = {"_audit": 2, "_note_failure": 1, "_store_password": 2}


def _written() -> Iterator[str]:
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        constants = dict(_constants(tree))
        for node in ast.walk(tree):
            place = _place(node.func) if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and place is not None and place < len(node.args):
                kind = node.args[place]
                name = kind.id if isinstance(kind, ast.Name) else ""
                value = kind.value if isinstance(kind, ast.Constant) else constants.get(name)
                yield from [value] if isinstance(value, str) else []


def _place(called: ast.expr) -> int | None:
    """At which place a function takes the kind of its event; None: it writes none."""
    if isinstance(called, ast.Attribute):
        is_log = getattr(called.value, "attr", "") == "audit_log"
        return 2 if is_log and called.attr == "add" else None
    return WRITERS.get(called.id) if isinstance(called, ast.Name) else None


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The texts that a module gives names to."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            for name, text in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
                    yield name.id, str(text.value)


def test_each_kind_that_is_written_is_listed():
    written = {*_written(), *map(str, Kind)}

    assert len(written) > 30
    assert written - event_visibility.ALL == set()
    assert not event_visibility.OPEN & set(event_visibility.AUDIT)


def test_each_kind_has_words():
    assert event_visibility.ALL - labels.EVENTS.keys() == set()
