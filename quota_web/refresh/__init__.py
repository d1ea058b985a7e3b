"""Which accounts are due, fetching and storing their quota, and the schedule that does so.

Nothing here prints or renders; what follows a stored answer plugs in at hooks.
"""
