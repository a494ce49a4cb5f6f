"""Stages of a row: each is a job in a process of its own, so that a crash is a line on the page, not the end."""
