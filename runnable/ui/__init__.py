"""A web page of runs: what was run, what failed and why, and what is running now.

Reads run logs and catalogs; the engine knows nothing of it. Needs the extra `ui`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runnable.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from runnable.sdk.services import AnyRunContainer

__all__ = ["app"]


def app(
    container: "AnyRunContainer | None" = None,
    *,
    configuration_file: str | None = None,
    services: Mapping[str, object] | None = None,
    allow_actions: bool = False,
    token: str = "",
    hosts: Sequence[str] | None = None,
) -> "Starlette":
    """Make the application, to be served or mounted into another one.

    Args:
        container: As for `Pipeline.execute`; its active runs can be cancelled.
        configuration_file: As for `get_run_log`.
        services: As for `Pipeline.execute`.
        allow_actions: Whether runs can be resumed, cancelled and deleted, by those who
            have the token.
        token: Whoever has it may act; wanted if actions are allowed.
        hosts: The names by which it may be asked, without ports, against DNS rebinding;
            any name if None, for applications that check this themselves.

    Returns:
        An ASGI application.

    Raises:
        ConfigurationError: If actions are allowed without a token, the configuration is
            wrong, or the extra `ui` is not installed.

    Example:
        >>> from runnable import ui
        >>> application = ui.app(services={"run_log_store": {"type": "memory"}})
        >>> type(application).__name__
        'Starlette'
    """
    if allow_actions and not token:
        raise ConfigurationError("allow_actions: give a `token` that actions need")
    try:
        from runnable.ui.application import make_app
    except ImportError as error:
        raise ConfigurationError(
            f"the web page needs more packages ({error}): pip install 'runnable[ui]'"
        ) from error
    from runnable.ui.library import Library

    library = Library.opened(configuration_file, services, container)
    return make_app(library, token if allow_actions else "", hosts)
