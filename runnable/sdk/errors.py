"""Errors of what authors write."""

from pydantic import ValidationError

from runnable.errors import DefinitionError


class SettingsError(DefinitionError, ValueError):
    """A step, a pipeline or a job has settings that cannot be; a ValueError, too."""

    validation: ValidationError | None = None
    """The finding of pydantic; None after pickling."""

    def __init__(self, what: str, findings: tuple[str, ...]) -> None:
        super().__init__(what, findings)
        self.what = what
        self.findings = findings

    def __str__(self) -> str:
        return f"{self.what}: {'; '.join(self.findings)}"
