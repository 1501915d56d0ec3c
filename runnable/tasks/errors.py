"""Errors of tasks that were called."""

from collections.abc import Sequence

from runnable.errors import RunError


class CommandCallError(RunError):
    """The command of a task failed."""


class StreamEndError(RunError):
    """A generator ended without saying what its task returns."""

    def __init__(
        self,
        function: str,
        end_type: str,
        declared: Sequence[str],
        given: Sequence[str] | None,
    ) -> None:
        super().__init__(function, end_type, declared, given)
        self.function = function
        self.end_type = end_type
        self.declared = declared
        self.given = given

    def __str__(self) -> str:
        names = ", ".join(map(repr, self.declared))
        if self.given is None:
            what = f"yielded no event of type {self.end_type!r}"
        else:
            listed = ", ".join(map(repr, self.given)) or "nothing"
            what = f"yielded an event of type {self.end_type!r} that has {listed}"
        return (
            f"{self.function}() {what}, but its task declares {names}. Let it yield "
            f"{{'type': {self.end_type!r}, ...}} with a value for each of these names, "
            "or set stream_end_type. If it just returns a generator expression, let it "
            "return a list."
        )
