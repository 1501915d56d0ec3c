"""Hide the values of secrets in everything that is stored, shown or reported."""

import base64
import html
import json
import operator
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASK = "***"
_NOTHING: frozenset[str] = frozenset()
_NO_FORMS: Mapping[str, Sequence[str]] = MappingProxyType({})
_SHORTEST = 4
"""Shorter values are no secrets to anybody, and masking them would hide everything."""


class Learner(Protocol):
    """Receives the secrets of a masker; compared by identity, and held weakly."""

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Mask some values, too."""


class Masker:
    """Replaces the secrets that it knows, in all forms that are usual.

    Those are the value itself, and what JSON, `repr`, HTML, URLs and base64 make of it.
    Each long line of a value counts as well, since such values are printed line by
    line.

    Example:
        >>> masker = Masker()
        >>> masker.add(["s3cret/value"])
        >>> masker.text("a s3cret/value and s3cret%2Fvalue")
        'a *** and ***'
    """

    __slots__ = (
        "__weakref__",
        "_by_head",
        "_forms",
        "_inner",
        "_lock",
        "_longest",
        "_names",
        "_pattern",
        "_unrecorded",
        "known",
    )

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.known = _NOTHING
        """The values, for another masker."""
        self._unrecorded: dict[str, None] = {}
        self._names: dict[str, None] = {}
        self._inner: weakref.WeakSet[Learner] | None = None
        self._forms = _NOTHING
        self._longest = 0
        self._by_head = _NO_FORMS
        self._pattern: re.Pattern[str] | None = None

    def __reduce__(self) -> tuple[Callable[[frozenset[str]], "Masker"], tuple[object]]:
        return _masker_of, (self.known,)

    @property
    def knows_any(self) -> bool:
        """Whether there is anything to hide."""
        return self._pattern is not None

    def learn(self, name: str, value: str) -> None:
        """Mask a secret that is read by its name; may be called from any thread.

        Args:
            name: Its name, which is recorded, so that a resumed run reads it again.
            value: Its value, which is never recorded.
        """
        self.add([value], [name])

    def unrecorded_names(self) -> tuple[str, ...]:
        """Return the names of secrets read since the last call."""
        if not self._unrecorded:
            return ()
        with self._lock:
            names, self._unrecorded = tuple(self._unrecorded), {}
        return names

    def share_with(self, inner: Learner) -> None:
        """Tell another masker of these secrets, and of those that come later.

        Args:
            inner: Such as the masker of a nested run.
        """
        with self._lock:
            if self._inner is None:
                self._inner = weakref.WeakSet()
            self._inner.add(inner)
            known, names = self.known, tuple(self._names)
        inner.add(known, names)

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Mask some values; may be called from any thread.

        Args:
            values: Those of fewer than four characters are not masked.
            names: The names by which they were read.
        """
        values = frozenset(values)
        with self._lock:
            for name in names:
                self._names[name] = self._unrecorded[name] = None
            if values <= self.known and not names:
                return
            new = values - self.known
            if new:
                self._mask(new)
            inner = tuple(self._inner or ())
        for learner in inner:
            learner.add(new, names)

    def _mask(self, new: frozenset[str]) -> None:
        self.known |= new
        self._forms |= {form for value in new for form in _forms_of(value)}
        longest_first = sorted(self._forms, key=len, reverse=True)
        if longest_first:
            self._longest = len(longest_first[0])
            self._by_head = _by_head(self._forms)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern is not None else text

    def split(self, text: str) -> tuple[str, str]:
        """Mask the beginning of a text that continues.

        Args:
            text: What has come so far.

        Returns:
            As much as is certain, without secrets, and the rest as it is: it may be the
            beginning of a secret, and belongs in front of what comes next.
        """
        if self._pattern is None:
            return text, ""
        end = self._certain(text)
        for match in self._pattern.finditer(text):
            if match.start() < end < match.end():
                end = match.start()
        return self.text(text[:end]), text[end:]

    def _certain(self, text: str) -> int:
        """Return where the longest beginning of a secret starts that ends the text."""
        length = len(text)
        # By their first letters: asking each form at each place takes far too long.
        for start in range(max(0, length - self._longest + 1), length):
            alike = self._by_head.get(text[start : start + _SHORTEST], ())
            tail = text[start:] if alike else ""
            if any(it.startswith(tail) and it != tail for it in alike):
                return start
        return length

    def json(self, value: JsonValue) -> JsonValue:
        """Return a JSON value without secrets; the same one if there are none."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value) if self._pattern.search(value) else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            # A secret of digits, which was converted to a number.
            text = json.dumps(value)
            masked = self.text(text)
            return value if masked == text else masked
        if isinstance(value, dict):
            made = {self.text(key): self.json(item) for key, item in value.items()}
            return value if _is_same(made.items(), value.items()) else made
        if isinstance(value, list):
            items = [self.json(item) for item in value]
            return value if all(map(operator.is_, items, value)) else items
        return value


def _is_same(
    first: Iterable[tuple[str, JsonValue]], second: Iterable[tuple[str, JsonValue]]
) -> bool:
    return all(
        key == other_key and item is other
        for (key, item), (other_key, other) in zip(first, second, strict=False)
    )


def _by_head(forms: Iterable[str]) -> dict[str, list[str]]:
    """Find forms by up to as many of their first letters as all of them have."""
    found: dict[str, list[str]] = {}
    for form in forms:
        for length in range(1, _SHORTEST + 1):
            found.setdefault(form[:length], []).append(form)
    return found


def _masker_of(values: frozenset[str]) -> Masker:
    masker = Masker()
    masker.add(values)
    return masker


def _forms_of(value: str) -> Iterator[str]:
    for part in {value, value.strip(), *value.splitlines()}:
        if len(part) >= _SHORTEST:
            yield from _encoded(part)


def _encoded(part: str) -> Iterator[str]:
    yield part
    yield json.dumps(part)[1:-1]
    yield json.dumps(part, ensure_ascii=False)[1:-1]
    yield repr(part)[1:-1]
    yield html.escape(part)
    yield html.escape(part, quote=False)
    content = part.encode(errors="surrogatepass")
    yield repr(content)[2:-1]
    yield quote(content, safe="")
    yield quote(content)
    yield quote_plus(content)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from _in_base64(content, encode)


def _in_base64(content: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    # Within a longer text, a value may begin at any of three places of a group; letters
    # that its neighbours have a share in are left out.
    for offset in range(3):
        encoded = encode(bytes(offset) + content).decode().rstrip("=")
        start = (0, 2, 3)[offset]
        end = len(encoded) - bool((len(content) + offset) % 3)
        if end - start >= _SHORTEST:
            yield encoded[start:end]
