"""The command `tfgraft`."""

from tfgraft.cli.main import main

__all__ = ["main"]
