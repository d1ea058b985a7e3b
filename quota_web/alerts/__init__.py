"""Alerts: which events a person is told of, through which channels, and in what words.

What happened to a window is judged in `foresight`; a channel sends what stands in the outbox.
"""
