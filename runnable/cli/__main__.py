"""`python -m runnable.cli` is the same as `runnable`."""

from runnable.cli.app import main

main()
