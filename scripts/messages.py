"""Keeps the translations beside the messages that the app has.

.venv/bin/python scripts/messages.py            reads the messages of the source and writes each
                                                quota_web/language/*.po anew: new ones are added
                                                with an empty translation, unused ones are dropped
.venv/bin/python scripts/messages.py --check    exit status 1, and a line for each thing to do

The files are sorted and name no lines and no dates, so that merges of two of them are quiet.
"""

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "quota_web"
sys.path.insert(0, str(PROJECT))

from quota_web.core.language import ENGLISH, LANGUAGES  # noqa: E402 - the path comes first
from quota_web.language.catalogue import FOLDER, mistakes, read_po  # noqa: E402

Message = str | Sequence[str]

METHODS = [
    ("**/templates/**.html", "jinja2.ext:babel_extract"),
    ("**.py", "python"),
    ("web/static/js/**.js", "javascript"),
]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "no"}}
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
}
HEADER = """# {name}. Kept up to date by scripts/messages.py; translations are written here.
# The words that are used stand in docs/languages.md.
msgid ""
msgstr ""
"Language: {code}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a language's file differs from what it should be."""

    missing: list[Message] = field(default_factory=list)
    unused: list[Message] = field(default_factory=list)
    untranslated: list[Message] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def lines(self, file: str) -> list[str]:
        """What to do, a line each."""
        found = [f"{file}: missing: {_text(m)} (run scripts/messages.py)" for m in self.missing]
        found += [f"{file}: unused: {_text(m)} (run scripts/messages.py)" for m in self.unused]
        found += [f"{file}: untranslated: {_text(m)} (write its msgstr)" for m in self.untranslated]
        return found + [f"{file}: {line}" for line in self.wrong]


def source_messages() -> dict[str, Message]:
    """Every message of the source by its key, which for one that counts is its first form."""
    found: dict[str, Message] = {}
    for _file, _line, message, _comments, _context in extract_from_dir(
        PACKAGE, METHODS, OPTIONS, KEYWORDS
    ):
        key = message if isinstance(message, str) else message[0]
        # One that is said alone as well: the form that counts serves both.
        if key not in found or not isinstance(message, str):
            found[key] = message if isinstance(message, str) else tuple(message)
    return found


def po_path(code: str) -> Path:
    return FOLDER / f"{code}.po"


def existing(code: str) -> Catalog:
    """What stands in the language's file today."""
    path = po_path(code)
    return read_po(path, code) if path.exists() else Catalog(locale=code)


def compare(code: str, messages: dict[str, Message]) -> Comparison:
    """What the language's file lacks, has too much, or has wrong."""
    catalog, found = existing(code), Comparison()
    there = {_key(m.id): m for m in catalog if m.id}
    found.missing.extend(m for key, m in messages.items() if key not in there)
    for key, message in there.items():
        if key not in messages:
            found.unused.append(message.id)
        elif not _is_translated(message.string) or message.fuzzy:
            found.untranslated.append(message.id)
        found.wrong.extend(mistakes(message.id, message.string))
    if (
        not found.missing
        and not found.unused
        and po_path(code).read_text("utf-8") != text_of(code, messages)
    ):
        found.wrong.append("not as scripts/messages.py writes it: run it")
    return found


def text_of(code: str, messages: dict[str, Message]) -> str:
    """The language's file as it should be: each message once, with the translation it has."""
    old, new = existing(code), Catalog(locale=code)
    for key, message in messages.items():
        # By the key: a message that begins to count keeps its translation.
        before = old.get(key)
        added = new.add(_id(message), _string(before.string if before else "", message))
        # Flags of formats are all alike and would stand in the way of quiet merges.
        added.flags = {"fuzzy"} if before and before.fuzzy else set()
    written = io.BytesIO()
    write_po(written, new, width=0, no_location=True, omit_header=True, sort_output=True)
    header = HEADER.format(name=LANGUAGES[code], code=code, plural_forms=new.plural_forms)
    return header + written.getvalue().decode("utf-8").strip("\n") + "\n"


def _string(string: object, message: Message) -> str | tuple[str, ...]:
    forms = [str(s) for s in (string if isinstance(string, list | tuple) else [string or ""])]
    return forms[0] if isinstance(message, str) else tuple(forms)


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, list | tuple) else bool(string)


def _id(message: Message) -> str | tuple[str, ...]:
    return message if isinstance(message, str) else tuple(message)


def _key(message: Message) -> str:
    return message if isinstance(message, str) else message[0]


def _text(message: Message) -> str:
    return re.sub(r"\s+", " ", repr(_key(message)))


def other_languages() -> Iterator[str]:
    return (code for code in LANGUAGES if code != ENGLISH)


def main() -> int:
    """Write the files, or only say what is to be done."""
    is_check = "--check" in sys.argv
    messages = source_messages()
    for code in other_languages():
        if not is_check:
            po_path(code).write_text(text_of(code, messages), encoding="utf-8")
    lines = [
        line
        for code in other_languages()
        for line in compare(code, messages).lines(str(po_path(code).relative_to(PROJECT)))
    ]
    print("\n".join(lines) if lines else "Every message has its translation.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
