"""The upstream edge: its requests, its answers, its tokens and its auth files.

No database, no decision about accounts, no words for pages.
"""
