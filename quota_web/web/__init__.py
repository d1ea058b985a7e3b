"""Pages, API and health over HTTP: requests in, HTML and JSON out.

No SQL and no decision: each view calls one feature and shows what it returns.
"""
