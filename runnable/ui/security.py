"""Refuse requests of other sites, for other names, and actions without the token.

Theory of operation. A page that runs on the same machine can be asked by any web site
that its user visits. Such a site cannot read answers of another origin, unless it makes
its own name stand for this address; so names are checked. It could send forms; so
requests that change something need the token, which the storage of the browser has for
this origin alone (a cookie would be sent to other ports as well), and are refused if
they come from elsewhere. Names and values of runs are text: no script but those of this
package runs in a page.
"""

import secrets
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_FORM_BYTES = 10_000
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    # Bars and pictures have places and colours of their own.
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests that no page of this application has made.

    Args:
        application: Gets the others.
        hosts: The names by which it may be asked; any if None.
    """

    def __init__(self, application: ASGIApp, hosts: Sequence[str] | None) -> None:
        self._application = application
        self._hosts = None if hosts is None else {it.lower() for it in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        answer: ASGIApp = self._application
        if refusal:
            answer = PlainTextResponse(refusal, 403)
        await answer(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> str:
        """Return why a request is refused; empty if it is not."""
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return (
                f"This server is not {host!r}; ask it by the name it was started for."
            )
        site = headers.get("sec-fetch-site", "")
        is_visit = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site in {"cross-site", "same-site"} and not is_visit:
            return "A page of another site has asked."
        origin = headers.get("origin", "")
        if origin and method != "GET" and urlsplit(origin).netloc != host:
            return "A form of another site was sent."
        return ""


def _name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    return urlsplit(f"//{host}").hostname or ""


async def may_act(request: Request, token: str) -> bool:
    """Return whether a form has the token.

    Args:
        request: The request.
        token: The token; empty if nobody may act.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM_BYTES:
            return False
    given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
    return is_token(given, token)


def is_token(given: str, token: str) -> bool:
    """Return whether a text is the token.

    Args:
        given: The text.
        token: The token; empty if nobody may act.
    """
    # In bytes: it may be any text.
    given_bytes = given.encode("utf-8", "surrogatepass")
    return bool(token) and secrets.compare_digest(given_bytes, token.encode())
