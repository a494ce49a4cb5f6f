"""Stages of a run: each is a job in a process of its own, so that a crash is a line in the table, not the end."""
