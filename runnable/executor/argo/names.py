"""Names of templates: letters, digits and hyphens, each its own, always the same."""

import re

_LONGEST = 50  # the name of a pod has room for 63, and Argo adds a hash
_OTHER = re.compile(r"[^a-z0-9]+")
# Words of the language in which tasks say what they depend on.
_RESERVED = {
    *("and", "or", "not", "in", "matches", "contains", "true", "false", "nil", "let"),
    *("all", "any", "one", "none", "map", "filter", "count", "len"),
    *("startswith", "endswith", "if", "else"),
}


class Labels:
    """Gives steps names that Argo accepts, each its own.

    Example:
        >>> labels = Labels()
        >>> [labels.new(it) for it in ("Train (v2)", "train_v2", "2nd", "in", "")]
        ['train-v2', 'train-v2-2', 'step-2nd', 'step-in', 'step']
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, text: str) -> str:
        """Return the name for a text.

        Args:
            text: Anything.
        """
        base = _OTHER.sub("-", text.lower()).strip("-")[:_LONGEST].strip("-")
        if not base or base[0].isdigit() or base in _RESERVED:
            base = f"step-{base}".strip("-")
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name
