"""Read YAML files that must be mappings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runnable.exceptions import ConfigurationError, ParametersFileError


def read_mapping(path: Path, what: str) -> dict[Any, Any]:
    """Read a YAML file.

    Args:
        path: The file, relative to the working directory.
        what: What it is, such as `parameters file`; for errors.

    Returns:
        What it holds; nothing if it is empty.

    Raises:
        ConfigurationError: If it cannot be read, is no valid YAML, or no mapping; a
            `ParametersFileError` if that is what it is.
    """
    import yaml  # only who has a file pays

    # The same loader in C, where PyYAML was built with it, is ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    kind = ParametersFileError if what == "parameters file" else ConfigurationError
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - safe
    except OSError as error:
        problem = f"the {what} cannot be read: {error.strerror}"
        raise kind(problem, str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise kind(f"the {what} is no valid YAML: {error}", str(path)) from None
    if not isinstance(content, Mapping | None):
        problem = f"the {what} must be a mapping"
        raise kind(problem, str(path))
    return dict(content or {})
