"""The commands of `flask quota`: options in, one feature called, text and exit status out.

No SQL and no decision; what pages need as well belongs to a feature.
"""
