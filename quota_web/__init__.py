"""Codex Quota: watches the ChatGPT Codex quota of many accounts. The factory makes the app; each
room says in its own `__init__` what belongs there.
"""
