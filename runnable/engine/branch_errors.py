"""Errors of steps with branches."""

from collections.abc import Sequence
from itertools import islice
from typing import Self

from runnable.errors import RunError

_NAMED_BRANCHES = 50


class BranchingError(RunError):
    """A parameter has no value by which branches can be chosen or repeated."""

    def __init__(self, parameter: str, value: str, why: str) -> None:
        super().__init__(parameter, value, why)
        self.parameter = parameter
        self.value = value
        self.why = why

    def __str__(self) -> str:
        return f"Parameter {self.parameter!r} is {self.value}: {self.why}"


class BranchFailedError(RunError):
    """A branch ended at its fail node, or in another way that raised no Exception."""

    def __init__(self, branch: str, why: str = "it ended at its fail node") -> None:
        super().__init__(branch, why)
        self.branch = branch
        self.why = why

    def __str__(self) -> str:
        return f"Branch {self.branch!r} failed: {self.why}"


class BranchesFailedError(ExceptionGroup[Exception], RunError):
    """Branches of a step failed; their errors are the group's exceptions.

    Of very many failing branches, all are named in `branches`, and the errors of the
    first hundred are kept.
    """

    def __new__(
        cls, step: str, branches: Sequence[str], errors: Sequence[Exception], of: int
    ) -> Self:
        """Make the group; an exception group takes its exceptions here."""
        del branches, of
        return super().__new__(cls, step, errors)

    def __init__(
        self, step: str, branches: Sequence[str], errors: Sequence[Exception], of: int
    ) -> None:
        Exception.__init__(self, step, branches, errors, of)
        self.step = step
        self.branches = list(branches)
        self.of = of

    def __reduce__(self) -> tuple[object, ...]:
        """Be rebuilt by these arguments, also where tblib pickles exceptions."""
        given = (self.step, self.branches, list(self.exceptions), self.of)
        return type(self), given, self.__dict__

    def derive(self, excs: Sequence[Exception]) -> "BranchesFailedError":  # type: ignore[override]  # as the documentation of derive() has it
        """Make a group of some of the exceptions, for `except*`."""
        return BranchesFailedError(self.step, self.branches, excs, self.of)

    def __str__(self) -> str:
        named = ", ".join(map(repr, self.branches[:_NAMED_BRANCHES]))
        if len(self.branches) > _NAMED_BRANCHES:
            named += f" and {len(self.branches) - _NAMED_BRANCHES} more"
        texts = (f"{type(error).__name__}: {error}" for error in self.exceptions)
        reasons = "; ".join(islice(dict.fromkeys(texts), 3))
        return (
            f"{len(self.branches)} of {self.of} branches of step {self.step!r} failed: "
            f"{named} ({reasons})"
        )
