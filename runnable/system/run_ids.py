"""Readable names for runs."""

import base64
import os
import re
import time

from runnable.errors import DefinitionError

_ADJECTIVES = """
agile amber azure bold brave bright brisk calm clever cosmic crisp daring eager
early fair fleet fresh gentle golden grand happy honest humble jolly keen kind
lively lucid lunar mellow merry modest nimble noble patient polite prime proud quick
quiet rapid ready royal rustic serene sharp silent simple sincere solar solid spry
stable steady sturdy sunny swift tidy true vivid warm wise witty young
""".split()  # noqa: SIM905 - a list of words, not of strings
_SURNAMES = """
abel babbage banach bayes bernoulli bohr boole borel cantor cauchy church curie
dirac elion erdos euclid euler faraday fermat fermi feynman fisher franklin galois
gauss germain godel hamilton hardy hawking hilbert hodgkin hopper huygens hypatia
jacobi johnson kepler khayyam kolmogorov kovalevskaya lamarr laplace leibniz
lovelace markov maxwell meitner mirzakhani newton noether pascal pauli planck
poincare ramanujan riemann shannon sklodowska tao turing wiener yalow
""".split()  # noqa: SIM905 - a list of words, not of strings


def get_random_name(sep: str = "-") -> str:
    """Make a name of an adjective and a surname.

    Args:
        sep: The text between the two.

    Returns:
        One of some four thousand names; not unique by itself.

    Example:
        >>> len(get_random_name(sep=" ").split())
        2
    """
    # The system's generator: user code that seeds `random` must not repeat run ids.
    first, second = os.urandom(2)
    names = _ADJECTIVES[first % len(_ADJECTIVES)], _SURNAMES[second % len(_SURNAMES)]
    return sep.join(names)


def make_run_id() -> str:
    """Make a run id: a random name, the local time and 40 random bits.

    Returns:
        For example `brave-noether-0915-k3v9q2xd`; never the same one twice.

    Example:
        >>> make_run_id() == make_run_id()
        False
    """
    letters = base64.b32hexencode(os.urandom(5)).decode().lower()
    return f"{get_random_name()}-{time.strftime('%H%M')}-{letters}"


_MAX_LENGTH = 200
_BAD_LETTERS = r"[/\\:\x00-\x1f\ud800-\udfff]"
_BAD = re.compile(_BAD_LETTERS).search


def check_run_id(run_id: str) -> str:
    """Refuse a run id that cannot be the name of a folder everywhere.

    Args:
        run_id: Any text.

    Returns:
        The same text.

    Raises:
        DefinitionError: If it is empty, too long, or has characters that would lead
            out of the folder of its store.

    Example:
        >>> check_run_id("brave-noether-0915")
        'brave-noether-0915'
    """
    if (
        not run_id
        or run_id[0] == "."
        or _BAD(run_id)
        or len(run_id.encode()) > _MAX_LENGTH
    ):
        bad = sorted(set(re.findall(_BAD_LETTERS, run_id)))
        why = f"it has {', '.join(map(repr, bad))}" if bad else "it is no file name"
        raise DefinitionError(
            f"{run_id[:80]!r} cannot be a run id: {why}. Use up to {_MAX_LENGTH} "
            "bytes of letters, digits, blanks, - _ and ., not beginning with a dot."
        )
    return run_id
