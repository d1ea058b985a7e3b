"""What is asked for beside quota: the list of banked resets. It changes no account's status.

Nothing that acts upstream: a banked reset is never spent here.
"""
