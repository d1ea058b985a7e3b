"""The accounts' sign-ins to ChatGPT that were made here: signing in, and renewing what was.

Not the dashboard's own sign-in, and nothing that reads quota.
"""
