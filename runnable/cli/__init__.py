"""The command line."""

import sys

from runnable.cli.quick_imports import quick_imports


def main() -> None:
    """Run the command line, and exit with its status."""
    try:
        with quick_imports():
            from runnable.cli.app import app  # takes a while: it may be interrupted

        app()
    except KeyboardInterrupt:
        sys.stderr.write("runnable: interrupted before anything had started\n")
        raise SystemExit(130) from None


__all__ = ["main"]
