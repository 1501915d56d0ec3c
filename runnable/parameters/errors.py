"""Errors of values: they are missing, or of another type than is needed."""

from collections.abc import Sequence

from runnable.errors import RunError, did_you_mean


class BindingError(RunError):
    """A parameter cannot be given to a function in the type that it asks for."""

    def __init__(self, function: str, argument: str, value: str, wanted: str) -> None:
        super().__init__(function, argument, value, wanted)
        self.function = function
        self.argument = argument
        self.value = value
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"{self.function}() cannot be given parameter {self.argument!r}: "
            f"{self.value} is not {self.wanted}"
        )


class ParameterMissingError(RunError):
    """A step asks for a parameter that is not provided."""

    def __init__(
        self,
        function: str,
        argument: str,
        known: Sequence[str] = (),
        step: str = "",
        field: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(function, argument, known, step, field, hint)
        self.function = function
        self.argument = argument
        self.known = known
        self.step = step
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        step = f"Step {self.step!r}" if self.step else ""
        function = f"{self.function}()" if self.function else ""
        field = f", or one for its field {self.field!r}" if self.field else ""
        return (
            f"{': '.join(filter(None, (step, function)))} needs parameter "
            f"{self.argument!r}{field}, which no earlier step, parameters file, "
            "environment variable or argument provides. "
            f"{did_you_mean(self.field or self.argument, self.known)}"
            f"{self.hint and ' '}{self.hint}"
        )


class ParametersMissingError(ParameterMissingError):
    """Several parameters are not provided; all of them are listed."""

    def __init__(self, missing: Sequence[ParameterMissingError]) -> None:
        first = missing[0]
        super().__init__(first.function, first.argument, first.known, first.step)
        self.args = (missing,)
        self.missing = list(missing)

    def __str__(self) -> str:
        lines = "".join(f"\n  - {one}" for one in self.missing)
        return f"{len(self.missing)} parameters are missing:{lines}"


class ValueNotStorableError(RunError):
    """A value is no JSON, and was not declared as a pickled object."""

    def __init__(
        self, location: str, kind: str, why: str = "", advice: str = ""
    ) -> None:
        super().__init__(location, kind, why, advice)
        self.location = location
        self.kind = kind
        self.why = why
        self.advice = advice

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        name = self.location.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        advice = self.advice or (
            f"Return something that is, or declare it with pickled({name!r})."
        )
        return (
            f"{self.location} is a {self.kind}{why}, which is no JSON value. {advice}"
        )


class ValueTooLongError(RunError):
    """A returned value is too long to be recorded as JSON."""

    def __init__(self, name: str, kind: str, most: int) -> None:
        super().__init__(name, kind, most)
        self.name = name
        self.kind = kind
        self.most = most

    def __str__(self) -> str:
        return (
            f"{self.name} is a {self.kind} whose JSON has more than {self.most:,} "
            f"characters. Declare it with pickled({self.name!r}), or write it to a "
            "file that the catalog keeps."
        )


class ReturnsError(RunError):
    """A function returned more or fewer values than its task declares."""

    def __init__(self, function: str, declared: Sequence[str], returned: int) -> None:
        super().__init__(function, declared, returned)
        self.function = function
        self.declared = declared
        self.returned = returned

    def __str__(self) -> str:
        names = ", ".join(self.declared)
        return (
            f"{self.function}() returned {self.returned} value(s), but its task "
            f"declares {len(self.declared)}: {names}. Return a tuple with one value "
            "for each name, in this order."
        )


class FieldMissingError(RunError):
    """A function returned something without a field that its annotation has."""

    def __init__(self, function: str, field: str, kind: str) -> None:
        super().__init__(function, field, kind)
        self.function = function
        self.field = field
        self.kind = kind

    def __str__(self) -> str:
        return (
            f"{self.function}() returned a {self.kind} without {self.field!r}, which "
            "the annotation of what it returns has. Return it, or declare `returns`; "
            "returns=[] declares nothing."
        )


class ParameterUnknownError(RunError):
    """Parameters are given that no step uses."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(names, known)
        self.names = names
        self.known = known

    def __str__(self) -> str:
        first, *others = self.names
        also = f" (nor {', '.join(map(repr, others))})" if others else ""
        hint = did_you_mean(first, self.known)
        return f"No step uses a parameter {first!r}{also}. {hint}"


class ReductionError(RunError):
    """The reducer of a map failed; its exception is the cause."""

    def __init__(self, reducer: str, name: str, why: str) -> None:
        super().__init__(reducer, name, why)
        self.reducer = reducer
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return (
            f"the reducer {self.reducer!r} failed on what was returned as "
            f"{self.name!r}: {self.why}. It is applied to every name that the branch "
            "returns; a callable gets the values as separate arguments."
        )
