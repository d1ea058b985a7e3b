"""The dashboard's own sign-in: password, set-up link, throttle of guesses, API tokens.

Not the accounts' sign-ins to ChatGPT.
"""
