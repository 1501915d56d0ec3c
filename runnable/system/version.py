"""The version of this library."""


def version() -> str:
    """Return the version of this library, as installed.

    Example:
        >>> version().count(".") >= 2
        True
    """
    from importlib import metadata  # slow to import, and seldom needed

    return metadata.version("runnable")
