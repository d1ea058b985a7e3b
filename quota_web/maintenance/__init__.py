"""One file a maintenance command: backup, restore, prune, rebuild, rotate-key, copy-to, doctor.

Statements that such a command alone uses stand here too, on a connection of the store.
"""
