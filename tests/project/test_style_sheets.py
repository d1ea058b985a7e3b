"""Style sheets and scripts hold nothing that no page uses any more."""

import re
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT

WEB = PROJECT / "quota_web" / "web"
SHEETS = sorted((WEB / "static" / "css").glob("*.css"))
SCRIPTS = sorted((WEB / "static" / "js").glob("*.js"))
TEMPLATES = sorted(path for path in (WEB / "templates").rglob("*") if path.is_file())
#: Names whose end is a value: `is-{{ group }}`, `bar-low`, `line-3`; each start has to be written
#: somewhere. `u-` are the chart library's.
COMPOSED = re.compile(r"^(is-|bar-|mark-|line-|s-|h(?=\d$))")


def text_of(paths: list[Path]) -> str:
    return "\n".join(path.read_text() for path in paths)


#: Everything that may name a class: templates, scripts, and Python, which draws and decides.
SOURCES = text_of([*TEMPLATES, *SCRIPTS, *sorted((PROJECT / "quota_web").rglob("*.py"))])
WORDS = set(re.findall(r"[\w-]+", SOURCES))


def is_used(name: str) -> bool:
    if name in WORDS or name.startswith("u-"):
        return True
    found = COMPOSED.match(name)
    return found is not None and re.search(rf"\b{found[0]}(?:\{{|\$)", SOURCES) is not None


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_each_class_of_a_style_sheet_is_named_by_a_page(sheet):
    rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S)
    selectors = " ".join(re.findall(r"([^{}]+)\{", rules))
    names = set(re.findall(r"[.#](-?[a-zA-Z_][\w-]*)", selectors))

    assert sorted(name for name in names if not is_used(name)) == []
    assert f"css/{sheet.name}" in SOURCES, "a page loads it"


def test_each_script_macro_and_template_is_called():
    templates = text_of(TEMPLATES)
    others = {path.name: text_of([s for s in SCRIPTS if s != path]) for path in SCRIPTS}
    macros = re.findall(r"macro (\w+)\(", templates)

    assert [n for n, text in others.items() if f"js/{n}" not in templates and n not in text] == []
    assert [m for m in macros if len(re.findall(rf"\b{m}\b", SOURCES)) < 2] == []
    names = [str(path.relative_to(WEB / "templates")) for path in TEMPLATES]
    assert [name for name in names if name not in SOURCES] == []


def test_each_export_of_a_script_is_imported():
    for path in SCRIPTS:
        others = text_of([script for script in SCRIPTS if script != path])
        exports = re.findall(
            r"export (?:async )?(?:function|const|let|class) (\w+)", path.read_text()
        )
        assert [name for name in exports if not re.search(rf"\b{name}\b", others)] == [], path.name
