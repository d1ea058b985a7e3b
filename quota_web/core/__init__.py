"""What every room may know: windows, policy, names, times, faults and errors.

Standard library only, and every decision takes `now`; no database, no HTTP, no Flask.
"""
