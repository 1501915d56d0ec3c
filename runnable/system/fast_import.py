"""Start a process of our own quickly."""

import sys

_LOOKED_FOR = ("fastapi", "starlette", "flask", "werkzeug")


def import_markers() -> None:
    """Import dependency-injector's markers without the web frameworks it looks for.

    It imports them where they are installed, which takes a quarter of a second, to
    inject into their handlers. Only a process that serves nothing may call this.
    """
    hidden = [name for name in _LOOKED_FOR if name not in sys.modules]
    # `None` in `sys.modules` blocks an import.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # as documented
    try:
        import dependency_injector.wiring  # noqa: F401 # pyright: ignore[reportUnusedImport]  # for its effect
    finally:
        for name in hidden:
            del sys.modules[name]
