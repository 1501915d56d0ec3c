"""Where initial parameters are read from."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from runnable.exceptions import ParametersFileError, ValueNotStorableError
from runnable.parameters.values import to_json


def read_parameters_file(path: Path) -> dict[str, JsonValue]:
    """Read a YAML mapping of parameters.

    Args:
        path: The file, relative to the working directory.

    Returns:
        JSON values by name; none if the file is empty.

    Raises:
        ParametersFileError: If the file cannot be read, is no valid YAML, no mapping,
            or has a value that is no JSON.
    """
    import yaml  # only who has a file pays

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"the parameters file cannot be read: {error.strerror}"
        raise ParametersFileError(problem, str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = f"the parameters file is no valid YAML: {error}"
        raise ParametersFileError(problem, str(path)) from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        problem = "the parameters file must be a mapping of names to values"
        raise ParametersFileError(problem, str(path))
    try:
        return {str(name): to_json(value, str(name)) for name, value in content.items()}
    except ValueNotStorableError as error:
        raise ParametersFileError(str(error), str(path)) from error
