"""What runs the app: the two servers' start and stop, logs, and the classic scripts.

No route and no command of `flask quota`.
"""
