"""The command line."""

from runnable.cli.app import main

__all__ = ["main"]
