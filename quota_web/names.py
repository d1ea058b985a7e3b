"""What an account may be called."""

from quota_web.errors import BadInput

MAX_NAME = 80
FILE_SUFFIX = ".auth.json"
#: What file systems allow for one name.
MAX_FILE_NAME_BYTES = 255


def checked(name: str) -> str:
    """The name without surrounding blanks; raises BadInput where it cannot be one.

    A name is also a file's name (`<name>.auth.json`) and a part of addresses, so nothing that steers a path gets in.
    """
    name = name.strip()
    if not name:
        raise BadInput("name", "give the account a name")
    if len(name) > MAX_NAME:
        raise BadInput("name", f"a name has at most {MAX_NAME} characters; this one has {len(name)}")
    if not name.isprintable():
        raise BadInput("name", "a name has printable characters only")
    if "/" in name or "\\" in name:
        raise BadInput("name", "a name has no / and no \\")
    if name.startswith("."):
        raise BadInput("name", "a name does not start with a dot")
    if len((name + FILE_SUFFIX).encode("utf-8", "replace")) > MAX_FILE_NAME_BYTES:
        raise BadInput("name", "a name this long in these characters is no file name; give a shorter one")
    return name
