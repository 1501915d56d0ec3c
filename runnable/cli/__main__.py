"""`python -m runnable.cli` is the same as `runnable`."""

from runnable.cli.app import main

if __name__ == "__main__":
    main()
