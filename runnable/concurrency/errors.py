"""Errors of limits."""

from runnable.errors import RunError


class EngineBusyError(RunError):
    """The limit of runs is reached; nothing has started, so try again later."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what, most)
        self.what = what
        self.most = most

    def __str__(self) -> str:
        if not self.most:
            return "No run is started here any more: the process is shutting down."
        return f"{self.most} {self.what} are active, which is the limit; try later."
