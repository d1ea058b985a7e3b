"""Accounts and where they come from: added, followed in a folder, imported, renamed, removed.

No pages and no quota: what an account has left is read in reports.
"""
