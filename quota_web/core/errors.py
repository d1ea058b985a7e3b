"""The tree of what can go wrong beside an account's own faults (those are values, see faults.py).

QuotaError
├── BadSetting           a setting, folder or file that stops the start; exit status 4
├── BadDatabase          the database cannot be used
│   ├── DatabaseBusy     locked by another writer for longer than we wait
│   ├── DatabaseFull     nothing more can be written; what is there can be read
│   ├── DatabaseReadOnly a standby, or a file that may not be written; what is there can be read
│   ├── DatabaseDamaged  the file is no database, or torn: no more is written to it
│   ├── DatabaseTooNew   made by a later version
│   └── KeyMissing       sealed tokens without the key that sealed them
├── AccountNotFound      no account of that name
├── AccountExists        the name is taken by another login
├── OtherLogin           a sign-in is of another login than the account it was made for
├── Outdated             an account or token is no longer the one that the page showed
├── BadInput             something a person gave cannot be used; names its field
│   └── BadQuery         a word of an address makes no sense
├── TooManyTries         too many wrong passwords; says when to try again
└── CredentialsRefused   an auth file cannot work; carries the fault
"""

from quota_web.core.faults import Fault
from quota_web.core.language import gettext as _
from quota_web.core.language import lookup, mark

#: How many characters of a bad value messages and logs repeat.
MOST_SHOWN = 120


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """*text*, cut where it is longer than *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


class QuotaError(Exception):
    """Anything this app raises on purpose. Its text is one English line that a person can act on.

    *message* is that line; with *data* it is a format with named places.
    """

    def __init__(self, message: str = "", /, **data: object) -> None:
        self._format, self._data = message, data
        super().__init__(message % data if data else message)

    @property
    def said(self) -> str:
        """The line in the current language, for pages."""
        words = lookup(self._format)
        return words % self._data if self._data else words


class BadSetting(QuotaError):
    """A setting, folder or file is wrong in a way that stops the start."""


class BadDatabase(QuotaError):
    """The database cannot be opened, read or brought up to date."""


class DatabaseBusy(BadDatabase):
    """Another writer holds the database for longer than we wait; trying again helps."""


class DatabaseFull(BadDatabase):
    """The disk is full, or a limit is reached: nothing is written until there is room, and reading
    goes on.
    """


class DatabaseReadOnly(BadDatabase):
    """The database accepts no writes, such as the standby of a PostgreSQL; reading goes on."""


class DatabaseDamaged(BadDatabase):
    """The file is not a database, or its pages contradict each other; it is left as it is."""


class DatabaseTooNew(BadDatabase):
    """The database was made by a later version of the app."""


class KeyMissing(BadDatabase):
    """There are sealed tokens, but not the key that sealed them."""


class AccountNotFound(QuotaError):
    """No account has that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(mark("%(name)s: unknown account"), name=shortened(name))


class AccountExists(QuotaError):
    """Another login already has that name."""

    def __init__(self, name: str, holder: str) -> None:
        """*holder* is a phrase of ours, such as `another login`."""
        self.name, self.holder = name, holder
        super().__init__(
            mark("%(name)s: name already taken by %(holder)s"), name=name, holder=holder
        )

    @property
    def said(self) -> str:
        return _(self._format, name=self.name, holder=lookup(self.holder))


class OtherLogin(QuotaError):
    """A sign-in was made for an account, and its tokens are of another login."""

    def __init__(self, name: str) -> None:
        self.name = name
        message = mark("%(name)s: this is another login; add it as an account of its own")
        super().__init__(message, name=name)


class Outdated(QuotaError):
    """A form was sent for something that is another, or has changed, since its page was loaded."""

    def __init__(
        self, name: str, message: str = mark("%(name)s: has changed since that page was loaded")
    ) -> None:
        self.name = name
        super().__init__(message, name=shortened(name))


class BadInput(QuotaError):
    """Something a person gave cannot be used; *field* is the form field or argument it belongs
    to.
    """

    def __init__(self, field: str, message: str, /, **data: object) -> None:
        super().__init__(message, **data)
        self.field, self.message = field, str(self)


class BadQuery(BadInput):
    """A word of an address makes no sense; *field* is its name there."""


class TooManyTries(QuotaError):
    """Too many wrong passwords or codes, or too many at once; *retry_after* is in seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(mark("too many tries; try again in %(seconds)s s"), seconds=retry_after)


class CredentialsRefused(QuotaError):
    """An auth file or a pasted token cannot work; *fault* says why."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.explained())

    @property
    def said(self) -> str:
        return self.fault.explained_here()
