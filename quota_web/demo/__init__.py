"""Invented accounts and their histories, for a look before any token is trusted to the app.

Nothing here is used for real accounts.
"""
