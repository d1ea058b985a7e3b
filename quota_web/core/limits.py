"""Limits that several rooms share, so that they cannot disagree."""

#: In bytes, packed and unpacked, of a response from the upstream; a reading has a few hundred.
MAX_RESPONSE = 1 << 20
#: In bytes, of what holds credentials: a file, an upload, a paste.
MAX_CREDENTIALS = 2 << 20
#: By how many seconds the clocks of hosts that share a database may differ without meaning
#: anything; docs/operations.md says so.
CLOCK_SKEW_S = 30
#: 2026-01-01T00:00:00Z. Before this the program did not exist: a clock that shows an earlier date
#: has not been set, and nothing it says about tokens and resets can be believed.
FIRST_BELIEVABLE = 1_767_225_600
#: In characters; longer than any that is typed. Hashing megabytes would be work for nothing, and
#: normalising them freezes the process.
MAX_PASSWORD = 1000
