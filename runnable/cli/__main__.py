"""`python -m runnable.cli` is the same as `runnable`."""

from runnable.cli import main

if __name__ == "__main__":
    main()
