"""Find out what a program would run, without running it.

Theory of operation. The script runs as usual, but each `execute` only reports what it
would run, and returns the log of a run that never began. So a process that is to run
one step gets the same pipeline as the one that began the run, whatever the program
looks like.
"""

from collections.abc import Callable, Sized
from typing import NamedTuple, cast

from runnable.errors import DefinitionError
from runnable.scope.launcher import launched_by, program_launched_by
from runnable.scope.options import Launcher, Options
from runnable.sdk.jobs import Job
from runnable.sdk.pipeline import Pipeline
from runnable.sdk.run_request import RunRequest
from runnable.sdk.services import AnyRunContainer


class Planned(NamedTuple):
    """A run that a program would start."""

    request: RunRequest
    options: Options
    """The options that the script gives."""
    container: AnyRunContainer | None
    """The container that it would use, if not the default."""


class Collected(NamedTuple):
    """The runs that a script would start."""

    runs: list[Planned]
    stopped: BaseException | None = None
    """Error of the script after its first `execute`, which has no result here."""


class _EnoughError(BaseException):
    """Ends the script: the pipeline that it defines has been found."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self._error = error

    def pass_on(self) -> None:
        """Raise what has gone wrong while it was found out, if anything has."""
        if self._error is not None:
            raise self._error from self._error.__cause__


def collect(
    program: Callable[[], object],
    options: Options = Options(),  # noqa: B008 - immutable
    check: Callable[[Planned], bool | None] | None = None,
    *,
    whole_process: bool = False,
) -> Collected:
    """Run a program up to its end, without the runs that it starts.

    Args:
        program: Executes pipelines or jobs, or returns one.
        options: Used for options that the script does not give.
        check: Called with each, where the program would execute it. If it answers True,
            that is enough, and the program is ended there.
        whole_process: Whether this process does nothing else, so that threads of the
            program start no runs either.

    Returns:
        What it would run, in order; what it returns only if it executes nothing.

    Raises:
        DefinitionError: If it executes and returns nothing of the kind.
        Exception: What the program raises before it executes anything.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> pipeline = Pipeline(steps=[Stub(name="s")], name="p")
        >>> collect(pipeline.execute).runs[0].request.graph.name
        'p'
    """
    collecting = _Collecting(check)
    stopped: BaseException | None = None
    launched = program_launched_by if whole_process else launched_by
    with launched(Launcher(options, collect=collecting.keep)):
        try:
            call(program, collecting.runs)
        except _EnoughError as enough:
            enough.pass_on()
        except (Exception, SystemExit) as error:
            if not collecting.runs and not isinstance(error, SystemExit):
                raise
            stopped = error
    if not collecting.runs:
        raise DefinitionError(
            "the program executes no pipeline and no job, and returns none; let it "
            "call execute(), also when it is the main script"
        )
    return Collected(collecting.runs, stopped)


def call(program: Callable[[], object], runs: Sized) -> None:
    """Call a program; execute what it returns, if it has executed nothing itself.

    Args:
        program: Executes pipelines or jobs, or returns one.
        runs: Grows with each run of the program.
    """
    returned = program()
    if not runs and isinstance(returned, Pipeline | Job):
        returned.execute()


class _Collecting:
    """Keeps what would be run."""

    def __init__(self, check: Callable[[Planned], bool | None] | None) -> None:
        self._check = check
        self.runs: list[Planned] = []

    def keep(self, request: object, options: Options, container: object) -> None:
        """Keep a run; called where the program would start it."""
        mine = cast("AnyRunContainer | None", container)
        self.runs.append(Planned(cast("RunRequest", request), options, mine))
        try:
            enough = self._check is not None and self._check(self.runs[-1])
        except BaseException as error:
            # Whatever the program does with errors, this one is not its own.
            raise _EnoughError(error) from error
        if enough:
            raise _EnoughError
