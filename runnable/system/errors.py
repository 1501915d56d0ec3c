"""Errors of files and servers that cannot be read, or have wrong content."""

from collections.abc import Sequence

from runnable.errors import ConfigurationError, DefinitionError, StoreError


class StoreAccessError(StoreError):
    """A store cannot be reached, or refuses."""

    def __init__(self, location: str, why: str, advice: str = "") -> None:
        super().__init__(location, why, advice)
        self.location = location
        self.why = why
        self.advice = advice

    def __str__(self) -> str:
        advice = self.advice or (
            "Check that the server is there, the address and the credentials."
        )
        problem = f"cannot be read or written: {self.why}"
        return f"What is kept in {self.location} {problem}. {advice}"


class ParametersFileError(ConfigurationError):
    """The parameters file is missing, unreadable or not a mapping."""


class PipelineFileError(DefinitionError):
    """A file does not describe a pipeline; all that is wrong is listed."""

    def __init__(
        self, problem: str, location: str = "", others: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(problem, location, others)
        self.problem = problem
        self.location = location
        self.others = list(others)
        """Further problems, each with its location."""

    def __str__(self) -> str:
        findings = [(self.problem, self.location), *self.others]
        return "\n".join(
            f"{location}: {problem}" if location else problem
            for problem, location in findings
        )
