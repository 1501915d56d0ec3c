"""Hide the values of secrets in everything that is stored, shown or reported."""

import re
import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Protocol, cast

from pydantic import JsonValue

from runnable.secrets.forms import SHORTEST, forms_of
from runnable.secrets.values import masked_value

MASK = "***"
_NOTHING: frozenset[str] = frozenset()
_NO_FORMS: Mapping[str, Sequence[str]] = MappingProxyType({})
_WRAPPED = 16
"""Shorter forms are not looked for across lines: chance would make them."""
_CUT = 6
"""As much of a secret before `...` is masked."""
_BREAK = re.compile(r"\r?\n[ \t]*")
_ELLIPSIS = re.compile(r"\.\.\.|\u2026")


class Learner(Protocol):
    """Receives the secrets of a masker; compared by identity, and held weakly."""

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Mask some values, too."""


class _ValuesOnly:
    """Passes on values without names: an outer run cannot ask for them again."""

    __slots__ = ("__weakref__", "_masker")

    def __init__(self, masker: "Masker") -> None:
        self._masker = masker

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Mask some values, too."""
        del names
        self._masker.add(values)


class Masker:
    """Replaces the secrets that it knows, in all forms that are usual.

    Those are the value itself, and what JSON, `repr`, HTML, URLs, base64 and hex digits
    make of it, also broken into lines; see `runnable.secrets.forms`. Each long line of
    a value counts as well, since such values are printed line by line.

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
        "_outer",
        "_pattern",
        "_unrecorded",
        "_wrapped",
        "known",
    )

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.known = _NOTHING
        """The values, for another masker."""
        self._unrecorded: dict[str, None] = {}
        self._names: dict[str, None] = {}
        self._inner: weakref.WeakSet[Learner] | None = None
        self._outer: _ValuesOnly | None = None
        self._forms = _NOTHING
        self._longest = 0
        self._by_head = _NO_FORMS
        self._pattern: re.Pattern[str] | None = None
        self._wrapped: re.Pattern[str] | None = None

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

    def share_values_with(self, outer: "Masker") -> None:
        """Have the masker of the outer run mask these secrets: errors carry them there.

        Args:
            outer: That of the run that this one is nested in.
        """
        self._outer = _ValuesOnly(outer)
        self.share_with(self._outer)

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
        self._forms |= {form for value in new for form in forms_of(value)}
        longest_first = sorted(self._forms, key=len, reverse=True)
        if longest_first:
            self._longest = len(longest_first[0])
            self._by_head = _by_head(self._forms)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            self._wrapped = None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        pattern = self._pattern
        if pattern is None or not text:
            return text
        masked = pattern.sub(MASK, text)
        if "\n" in masked:
            masked = self._without_wrapped(masked)
        return self._without_cut(masked) if _ELLIPSIS.search(masked) else masked

    def _without_wrapped(self, text: str) -> str:
        """Mask secrets that are broken into lines, such as base64 in a mail."""
        for start, end in reversed(self._wrapped_spans(text)):
            text = text[:start] + MASK + text[end:]
        return text

    def _wrapped_spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets start and end that are broken into lines."""
        pattern = self._wrapped_pattern()
        if pattern is None or not pattern.search(_BREAK.sub("", text)):
            return []
        starts: list[int] = []
        pieces: list[str] = []
        at = 0
        for found in _BREAK.finditer(text):
            pieces.append(text[at : found.start()])
            starts.append(at)
            at = found.end()
        pieces.append(text[at:])
        starts.append(at)
        ends = list(accumulate(map(len, pieces)))

        def origin(position: int) -> int:
            line = bisect_right(ends, position)
            return starts[line] + position - (ends[line - 1] if line else 0)

        return [
            (origin(it.start()), origin(it.end() - 1) + 1)
            for it in pattern.finditer("".join(pieces))
        ]

    def _wrapped_pattern(self) -> re.Pattern[str] | None:
        if self._wrapped is None:
            long = sorted((it for it in self._forms if len(it) >= _WRAPPED), key=len)
            if long:
                self._wrapped = re.compile("|".join(map(re.escape, reversed(long))))
        return self._wrapped

    def _without_cut(self, text: str) -> str:
        """Mask the beginning of a secret that was cut to make a text shorter."""
        for found in reversed(list(_ELLIPSIS.finditer(text))):
            start = self._certain(text[: found.start()])
            if found.start() - start >= _CUT:
                text = text[:start] + MASK + text[found.start() :]
        return text

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
        # What begins at the end may overlap with a secret before it, and that as well.
        while (start := self._start_of_secret_across(text, end)) < end:
            end = start
        return self.text(text[:end]), text[end:]

    def _start_of_secret_across(self, text: str, end: int) -> int:
        """Return where a secret starts that has its end behind `end`; else `end`."""
        assert self._pattern is not None  # noqa: S101 - asked before
        near = max(0, end - 2 * self._longest)
        tail = text[near:]
        spans = [match.span() for match in self._pattern.finditer(tail)]
        if "\n" in tail:
            spans += self._wrapped_spans(tail)
        across = [start for start, after in spans if start < end - near < after]
        return near + min(across) if across else end

    def _certain(self, text: str) -> int:
        """Return where the longest beginning of a secret starts that ends the text."""
        length = len(text)
        # By their first letters: asking each form at each place takes far too long.
        longest = self._longest * (2 if "\n" in text[-self._longest :] else 1)
        for start in range(max(0, length - longest), length):
            alike = self._by_head.get(text[start : start + SHORTEST], ())
            tail = text[start:] if alike else ""
            if any(it.startswith(tail) and it != tail for it in alike):
                return start
            if "\n" in tail:
                joined = _BREAK.sub("", tail)
                if len(joined) * 2 >= _WRAPPED and any(
                    len(it) >= _WRAPPED and it.startswith(joined) and it != joined
                    for it in alike
                ):
                    return start
        return length

    def hides(self, text: str) -> bool:
        """Return True if a text contains a secret."""
        return self._pattern is not None and self.text(text) != text

    def value(self, value: object) -> object:
        """Return a value of any type without secrets; the same one if there are none.

        Args:
            value: See `runnable.secrets.values.masked_value`.
        """
        return value if self._pattern is None else masked_value(value, self.text)

    def texts(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Return texts by key without secrets, also in the keys."""
        return cast("Mapping[str, str]", self.value(texts))

    def json(self, value: JsonValue) -> JsonValue:
        """Return a JSON value without secrets; the same one if there are none."""
        return cast("JsonValue", self.value(value))


def _by_head(forms: Iterable[str]) -> dict[str, list[str]]:
    """Find forms by up to as many of their first letters as all of them have."""
    found: dict[str, list[str]] = {}
    for form in forms:
        for length in range(1, SHORTEST + 1):
            found.setdefault(form[:length], []).append(form)
    return found


def _masker_of(values: frozenset[str]) -> Masker:
    masker = Masker()
    masker.add(values)
    return masker
