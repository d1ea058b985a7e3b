"""Limits that several rooms share."""

#: In bytes, packed and unpacked, of a response from the upstream; a reading has a few hundred.
MAX_RESPONSE = 1 << 20
