"""What people and programs read: results, histories, one account's details, metrics.

Only reads; words and markup belong to web and cli.
"""
