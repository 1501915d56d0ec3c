"""Sources of initial parameters: files and environment variables."""

from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from runnable.parameters.errors import ValueNotStorableError
from runnable.parameters.values import to_json
from runnable.system.errors import ParametersFileError
from runnable.system.yaml_files import read_document


class WrittenValues(NamedTuple):
    """Values that were written as text, and their texts."""

    values: dict[str, JsonValue]
    """JSON values by name."""
    texts: dict[str, JsonValue]
    """The same structure, in which each scalar is the text that was written."""


def read_parameters_file(path: Path) -> WrittenValues:
    """Read a YAML mapping of parameters.

    Args:
        path: The file, relative to the working directory.

    Returns:
        Values and their texts by name; none if the file is empty.

    Raises:
        ParametersFileError: If the file cannot be read, is no valid YAML, no mapping,
            or has a value that is no JSON.
    """
    document = read_document(path, "parameters file")
    try:
        return WrittenValues(
            {
                str(name): to_json(it, str(name))
                for name, it in document.content.items()
            },
            {
                str(name): to_json(it, str(name))
                for name, it in document.texts().items()
            },
        )
    except ValueNotStorableError as error:
        raise ParametersFileError(str(error), str(path)) from None
