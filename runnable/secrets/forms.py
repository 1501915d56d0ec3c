"""The forms in which a secret may appear in a text: encodings that programs use."""

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Shorter values are no secrets to anybody, and masking them would hide everything."""

_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def forms_of(value: str) -> Iterator[str]:
    """Yield the forms of a secret, and those of each of its long lines.

    Args:
        value: The secret.

    Example:
        >>> {"a/b&c", "a%2Fb%26c", "a/b&amp;c", "612f622663"} <= set(forms_of("a/b&c"))
        True
    """
    for part in {value, value.strip(), *value.splitlines()}:
        if len(part) >= SHORTEST:
            yield from {*_texts(part), *_bytes(part)}


def _texts(part: str) -> Iterator[str]:
    """Yield what JSON, `repr`, HTML and URLs make of a text, once and twice."""
    once = {part, *_quoted(part), *_in_url(part)}
    yield from once
    for form in once:
        yield from _quoted(form)
    for form in tuple(_in_url(part)):
        yield from _in_url(form)


def _quoted(part: str) -> Iterator[str]:
    yield json.dumps(part)[1:-1]
    yield json.dumps(part, ensure_ascii=False)[1:-1]
    yield repr(part)[1:-1]
    escaped = html.escape(part, quote=False)
    yield escaped
    yield html.escape(part)
    # As markupsafe and Jinja write it.
    yield escaped.replace('"', "&#34;").replace("'", "&#39;")


def _in_url(part: str) -> Iterator[str]:
    content = part.encode(errors="surrogatepass")
    for form in (quote(content, safe=""), quote(content), quote_plus(content)):
        yield form
        yield _ESCAPE.sub(lambda match: match[0].lower(), form)


def _bytes(part: str) -> Iterator[str]:
    content = part.encode(errors="surrogatepass")
    yield repr(content)[2:-1]
    yield content.hex()
    yield content.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from _in_base64(content, encode)


def _in_base64(content: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    # Within a longer text, a value may begin at any of three places of a group; letters
    # that its neighbours have a share in are left out.
    for offset in range(3):
        encoded = encode(bytes(offset) + content).decode().rstrip("=")
        start = (0, 2, 3)[offset]
        end = len(encoded) - bool((len(content) + offset) % 3)
        if end - start >= SHORTEST:
            yield encoded[start:end]
