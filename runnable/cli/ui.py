"""`runnable ui`: the web page of runs."""

import contextlib
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from runnable.cli.arguments import Config, Verbose
from runnable.cli.outcome import FailedError, told_to_the_shell

if TYPE_CHECKING:
    from socket import socket

_PORT = 8765
_BACKLOG = 2048
_NAMES = ("localhost", "127.0.0.1", "::1")


def ui(
    config: Config = None,
    host: Annotated[str, typer.Option(help="The address it listens at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 for one that is free.")
    ] = _PORT,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name by which it is asked, beside the usual ones."),
    ] = None,
    allow_actions: Annotated[
        bool, typer.Option(help="Let those who have the token change runs.")
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open it in a browser.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Show runs on a web page.

    The server runs until Ctrl-C. It needs the extra `ui`.
    """
    with told_to_the_shell(verbose=verbose) as answer:
        from runnable.ui import app

        token = secrets.token_urlsafe(24) if allow_actions else ""
        host = host.strip("[]")
        application = app(
            configuration_file=str(config or ""),
            allow_actions=allow_actions,
            token=token,
            hosts=[*_NAMES, host, *(name or ())],
        )
        try:
            import uvicorn
        except ImportError as error:
            problem = f"the web page needs more packages ({error})"
            raise FailedError(f"{problem}: pip install 'runnable[ui]'") from error

        with _listening(host, port) as listener:
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{listener.getsockname()[1]}/"
            address += f"token/{token}" if token else ""
            answer.say(f"Runs are shown at {address}; Ctrl-C ends it.")
            if open_browser:
                import webbrowser

                webbrowser.open(address)
            settings = uvicorn.Config(
                application, log_level="warning", timeout_graceful_shutdown=1
            )
            with contextlib.suppress(KeyboardInterrupt):  # that is how it ends
                uvicorn.Server(settings).run([listener])


def _listening(host: str, port: int) -> "socket":
    """Return a listening socket, so that early connections are queued."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        problem = f"cannot listen at {host}:{port}: {error.strerror or error}"
        raise FailedError(f"{problem}; choose another --port") from None
    return listener
