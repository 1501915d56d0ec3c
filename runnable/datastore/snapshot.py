"""The readable copy of a run log: JSON, indented by four, ASCII only."""

import json
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from runnable.datastore.run_log import RunLog
from runnable.exceptions import RunLogDamagedError


def dump_run_log(run_log: RunLog) -> bytes:
    """Turn a run log into JSON.

    Args:
        run_log: Any run log.

    Returns:
        ASCII text.

    Example:
        >>> dump_run_log(RunLog(run_id="r1")).splitlines()[1]
        b'    "run_id": "r1",'
    """
    try:
        return run_log.model_dump_json(indent=4, ensure_ascii=True).encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        return json.dumps(run_log.model_dump(), indent=4).encode()


def load_run_log(run_id: str, path: Path) -> RunLog:
    """Read a run log from its copy; also one that `runnable` 0.50 wrote.

    Args:
        run_id: The id of the run.
        path: The file.

    Returns:
        The run log.

    Raises:
        RunLogDamagedError: If the file is no run log.
    """
    try:
        return RunLog.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError) as error:
        raise RunLogDamagedError(run_id, str(path), str(error)) from error
