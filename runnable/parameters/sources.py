"""Sources of initial parameters: files and environment variables."""

from pathlib import Path

from pydantic import JsonValue

from runnable.parameters.errors import ValueNotStorableError
from runnable.parameters.values import to_json
from runnable.system.errors import ParametersFileError
from runnable.system.yaml_files import read_mapping


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
    content = read_mapping(path, "parameters file")
    try:
        return {str(name): to_json(value, str(name)) for name, value in content.items()}
    except ValueNotStorableError as error:
        raise ParametersFileError(str(error), str(path)) from None
