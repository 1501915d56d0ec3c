"""Draw pages of templates; whatever they show of runs is text."""

from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse

from runnable.report.summary import shown_metric
from runnable.report.time_scale import duration_text
from runnable.system.moments import local_text
from runnable.system.plain_text import plain

_FRAGMENT = "fragment"
"""The parameter of addresses that want the changing part of a page alone."""


class Templates:
    """Draws pages.

    Args:
        location: Where the runs are, for people.
        token: Whoever has it may act; empty if nobody may.
    """

    def __init__(self, location: str, token: str) -> None:
        folder = files("runnable.ui").joinpath("templates")
        names = sorted(it.name for it in folder.iterdir())
        self._token = token
        self._environment = Environment(
            loader=FunctionLoader(
                lambda name: folder.joinpath(name).read_text("utf-8")
            ),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        shared: dict[str, object] = {
            "location": location,
            "local": local_text,
            "duration": duration_text,
            "metric": shown_metric,
            "quote": _quoted,
        }
        self._environment.globals |= shared  # pyright: ignore[reportUnknownMemberType]  # they are of any type
        for name in names:
            # Now, so that no page has to wait for it.
            self._environment.get_template(name)

    async def page(
        self, request: Request, template: str, /, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Draw a page, or its changing part alone if the address says so.

        Args:
            request: What asks for it.
            template: Its name.
            status: Of the answer.
            **values: For the template.
        """
        draw = partial(
            self._environment.get_template(template).render,
            request=request,
            root=request.scope.get("root_path", ""),
            allows_actions=bool(self._token),
            is_fragment=_FRAGMENT in request.query_params,
            **values,
        )
        content: str = await run_in_threadpool(draw)
        return HTMLResponse(content.encode("utf-8", "backslashreplace"), status)

    async def problem(self, request: Request, why: str, *, status: int) -> HTMLResponse:
        """Draw a page that says what is wrong.

        Args:
            request: What asks.
            why: What is wrong, and what to do.
            status: Of the answer.
        """
        return await self.page(
            request, "problem.html", status=status, why=why, code=status
        )


def _quoted(text: object) -> str:
    return quote(str(text), safe="", errors="surrogatepass")


def _shown(value: object) -> object:
    """Show control characters of whatever is put into a page."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value)
    return "" if value is None else value
