"""Tests of what is asked for beside quota."""
