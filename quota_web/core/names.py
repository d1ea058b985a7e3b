"""What an account may be called, and when two names are the same."""

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import count

from quota_web.core.errors import BadInput
from quota_web.core.language import mark

MAX_NAME = 80
#: The width of the column that holds the folded name: one character can fold into eighteen.
MAX_KEY = 255
FILE_SUFFIX = ".auth.json"
#: What file systems allow for one name.
MAX_FILE_NAME_BYTES = 255


def fold(name: str) -> str:
    """A name as it is compared: two names with one key are the same name. What is too long for a
    name has a key that no name has.

    Strangers' words come here: their length is looked at before they are folded, which takes its
    square, or kept.
    """
    return _folded(name) if len(name) <= MAX_NAME else f"/{name[:MAX_NAME]}"


@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def printable(text: str) -> str:
    """A text from outside (a path, a mistyped name) as one harmless line: what a terminal would
    obey or cannot write is spelled out.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def visible_json(text: str) -> str:
    """JSON *text* with the same spelled out as JSON does it: it says what it said before."""
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def validate(name: str) -> str:
    """The name without surrounding blanks; raises BadInput where it cannot be one.

    A name is also a file's name (`<name>.auth.json`) and a part of addresses, so nothing that
    steers a path gets in.
    """
    name = name.strip()
    if not name:
        raise BadInput("name", mark("give the account a name"))
    if len(name) > MAX_NAME:
        raise BadInput(
            "name",
            mark("a name has at most %(most)s characters; this one has %(count)s"),
            most=MAX_NAME,
            count=len(name),
        )
    if not name.isprintable():
        raise BadInput("name", mark("a name has printable characters only"))
    if "/" in name or "\\" in name:
        raise BadInput("name", mark("a name has no / and no \\"))
    if name.startswith("."):
        raise BadInput("name", mark("a name does not start with a dot"))
    if len((name + FILE_SUFFIX).encode("utf-8")) > MAX_FILE_NAME_BYTES or len(fold(name)) > MAX_KEY:
        raise BadInput(
            "name",
            mark("a name this long in these characters is no file name; give a shorter one"),
        )
    return name


#: What a name may hold that says who somebody is, or opens something: an address, a token, an id.
_TELLS = re.compile(
    r"@|eyJ|\b(?:sk|sess|at|rt|user|org|acc|account)[-_.](?=[\w.-]*\d)[\w.-]{12,}"
    r"|[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}",
    re.IGNORECASE,
)


def shareable(names: Iterable[str]) -> dict[str, str]:
    """Each name as strangers may read it: one that holds an address, id or token is `account 1`."""
    names = list(names)
    taken = {fold(name) for name in names}
    numbers = (word for n in count(1) if (word := f"account {n}") not in taken)
    return {name: next(numbers) if _TELLS.search(name) else name for name in names}
