"""Read YAML files that must be mappings, with the location of each value.

Theory of operation. A file comes from anybody: only plain values are made of it, and
what would take long to read is refused before it is: too many letters, values or
levels, counted with the aliases replaced by what they stand for. Two keys of the same
name are an error. The nodes that the parser made are kept, since they know their lines.
"""

# PyYAML's types leave values unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import functools
import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from runnable.errors import ConfigurationError
from runnable.system.errors import ParametersFileError, PipelineFileError

if TYPE_CHECKING:
    from yaml import CSafeLoader, Event, MappingNode, Node, SafeLoader, ScalarNode

LONGEST_BYTES = 1024 * 1024
MOST_VALUES = 100_000
DEEPEST = 100

_INT = "tag:yaml.org,2002:int"
_VALUE = "tag:yaml.org,2002:value"
"""The tag of a bare `=` in YAML 1.1."""
_NUMBERS = {_INT, "tag:yaml.org,2002:float"}
_CHANGED = {
    # Plain values that PyYAML, which reads YAML 1.1, would convert.
    "tag:yaml.org,2002:bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    _INT: (
        r"^[-+]?(?:[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+)$",
        "-+0123456789",
    ),
    "tag:yaml.org,2002:float": (
        (
            r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        "-+0123456789.",
    ),
}
_LONGEST_NUMBER = 1000
_MERGE = "tag:yaml.org,2002:merge"
_CANNOT_BE_MADE = (
    # PyYAML raises these for texts that do not match their tags.
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    OverflowError,
)
_ERRORS = {
    "parameters file": ParametersFileError,
    "pipeline file": PipelineFileError,
}
Key = str | int


class Document(NamedTuple):
    """A file that was read."""

    path: str
    content: dict[Any, Any]
    root: "Node | None" = None
    """The parsed document; None if it is empty."""

    def location(self, *keys: Key) -> str:
        """Return the location of a value.

        Args:
            keys: The keys and positions that lead there from the top; as far as they
                exist.

        Returns:
            The file, the line and the column, from 1: `file.yaml:3:5`.
        """
        mark = self.root
        node = self.root
        for key in keys:
            mark, node = _step(mark, node, key)
        return f"{self.path}:{_line_and_column(mark)}" if mark else self.path

    def texts(self) -> dict[Any, Any]:
        """Return the content, with each scalar as it is written."""
        if self.root is None or not self.content:
            return {}
        loader = _loader_of_yaml_1_2()("")
        try:
            made = _Maker(loader, as_text=True).make(self.root)
        finally:
            loader.dispose()
        return cast("dict[Any, Any]", made)


def _step(
    mark: "Node | None", node: "Node | None", key: Key
) -> "tuple[Node | None, Node | None]":
    """Go on from a node to what a key has; stay if there is nothing."""
    for number, child in enumerate(_children(node)):
        if isinstance(child, tuple):
            if child[0].value == str(key):
                return child
        elif number == key:
            return child, child
    return mark, None


def _children(node: "Node | None") -> "list[Node | tuple[Node, Node]]":
    """Return the nodes within one: those of a list, or the pairs of a mapping."""
    value = node.value if node is not None else None
    return value if isinstance(value, list) else []


def _line_and_column(node: "Node | Event") -> str:
    mark = node.start_mark
    return f"{mark.line + 1}:{mark.column + 1}" if mark is not None else ""


def read_document(path: Path, what: str) -> Document:
    """Read a YAML file.

    Args:
        path: The file, relative to the working directory.
        what: What it is, such as `parameters file`; for errors.

    Returns:
        What it holds; nothing if it is empty.

    Raises:
        ConfigurationError: If it cannot be read, is no valid YAML, no mapping, or too
            large; a `ParametersFileError` or a `PipelineFileError` if that is what it
            is.
    """
    try:
        if path.stat().st_size > LONGEST_BYTES:
            _refuse(what, f"the {what} has more than {LONGEST_BYTES} bytes", str(path))
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        _refuse(what, f"the {what} cannot be read: {error.strerror}", str(path))
    except UnicodeDecodeError as error:
        _refuse(what, f"the {what} is no UTF-8: {error}", str(path))
    return parse(text, what, str(path))


def parse(text: str, what: str, path: str) -> Document:
    """Make plain values of a YAML text; as `read_document`, which see.

    Args:
        text: The text.
        what: What it is.
        path: Where it is from, for errors.
    """
    import yaml  # only who has a file pays

    loader_type = _loader_of_yaml_1_2()
    try:
        _check_events(text, loader_type)
        loader = loader_type(text)
        try:
            root = loader.get_single_node()
            content = _Maker(loader).make(root) if root is not None else {}
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        location = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        why = ", ".join(filter(None, (error.context, error.problem)))
        _refuse(what, f"the {what} is no valid YAML: {why}", location)
    except yaml.YAMLError as error:
        why = str(error).splitlines()[0]
        _refuse(what, f"the {what} is no valid YAML: {why}", path)
    except _NotAcceptedError as error:
        location = f"{path}:{error.line_and_column}" if error.line_and_column else path
        _refuse(what, f"the {what} is not accepted: {error}", location)
    if not isinstance(content, Mapping | None):
        _refuse(what, f"the {what} must be a mapping", path)
    return Document(path, dict(content or {}), root)


@functools.cache
def _loader_of_yaml_1_2() -> "type[SafeLoader]":
    """Make a loader for which plain text is what YAML 1.2 says it is: `yes` is text."""
    import yaml

    # The same loader in C, where PyYAML was built with it, is ten times as fast.
    base: type[SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]  # chosen at run time
        yaml_implicit_resolvers = {
            first: [it for it in resolvers if it[0] not in {*_CHANGED, _VALUE}]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    for tag, (pattern, firsts) in _CHANGED.items():
        Loader.add_implicit_resolver(tag, re.compile(pattern), list(firsts))
    return Loader


def _refuse(what: str, problem: str, location: str) -> NoReturn:
    raise _ERRORS.get(what, ConfigurationError)(problem, location) from None


class _NotAcceptedError(Exception):
    def __init__(self, problem: str, node: "Node | Event | None" = None) -> None:
        super().__init__(problem)
        self.line_and_column = _line_and_column(node) if node is not None else ""


def _check_events(text: str, loader_type: "type[CSafeLoader | SafeLoader]") -> None:
    """Refuse what is too deep or too long, before anything is made of it."""
    import yaml

    depth = 0
    for number, event in enumerate(yaml.parse(text, loader_type)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise _NotAcceptedError(f"it is more than {DEEPEST} levels deep", event)
        if number > 2 * MOST_VALUES:
            raise _NotAcceptedError(f"it has more than {MOST_VALUES} values")


class _Maker:
    """Makes plain values of nodes; or the same structure of texts."""

    def __init__(
        self, loader: "CSafeLoader | SafeLoader", *, as_text: bool = False
    ) -> None:
        self._loader = loader
        self._as_text = as_text
        self._made = 0
        self._within: set[int] = set()

    def make(self, node: "Node") -> object:
        """Make the value of a node, and of all that it holds."""
        import yaml

        self._made += 1
        if self._made > MOST_VALUES:
            problem = f"with its aliases, it has more than {MOST_VALUES} values"
            raise _NotAcceptedError(problem, node)
        if isinstance(node, yaml.ScalarNode):
            return node.value if self._as_text else self._make_scalar(node)
        if id(node) in self._within or len(self._within) > DEEPEST:
            raise _NotAcceptedError("an alias is used within its own definition", node)
        self._within.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._make_mapping(node)
            if node.tag != "tag:yaml.org,2002:seq":
                raise _NotAcceptedError(f"{node.tag!r} is no tag of a list", node)
            return [self.make(child) for child in node.value]
        finally:
            self._within.discard(id(node))

    def _make_scalar(self, node: "ScalarNode") -> object:
        if len(node.value) > _LONGEST_NUMBER and node.tag in _NUMBERS:
            raise _NotAcceptedError("it is too long for a number", node)
        try:
            if (
                node.tag == _INT
                and node.value.lstrip("+-").replace("_", "").isdecimal()
            ):
                return int(node.value.replace("_", ""))  # 010 is ten
            if node.tag == _INT and "0o" in node.value:
                return int(node.value, 8)
            return self._loader.construct_object(node)
        except _CANNOT_BE_MADE as error:
            shown = repr(node.value[:40])
            raise _NotAcceptedError(f"{shown} cannot be read: {error}", node) from None

    def _make_mapping(self, node: "MappingNode") -> dict[Hashable, object]:
        if node.tag != "tag:yaml.org,2002:map":
            raise _NotAcceptedError(f"{node.tag!r} is no tag of a mapping", node)
        merged: dict[Hashable, object] = {}
        own: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for mapping in self._merged(value_node):
                    # Of several, the first one wins.
                    merged = {**mapping, **merged}
                continue
            key = self._make_key(key_node)
            if not isinstance(key, str | int | float | bool | None):
                raise _NotAcceptedError("a key must be text or a number", key_node)
            if key in own:
                raise _NotAcceptedError(f"the key {key!r} is there twice", key_node)
            own[key] = self.make(value_node)
        return {**merged, **own}

    def _make_key(self, node: "Node") -> object:
        import yaml

        if isinstance(node, yaml.ScalarNode):
            return self._make_scalar(node)
        return self.make(node)

    def _merged(self, node: "Node") -> Iterator[dict[Hashable, object]]:
        value = self.make(node)
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                raise _NotAcceptedError("<< takes a mapping, or a list of them", node)
            yield mapping
