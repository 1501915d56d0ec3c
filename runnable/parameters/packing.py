"""Parameters as text that nothing can misread: letters, digits, and `+/=`.

What starts a process may replace something in its variables, as Argo and Kubernetes do,
or have no room for long ones.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING

from pydantic import JsonValue

from runnable.defaults import PACKED_PARAMETERS
from runnable.parameters.sources import WrittenValues

if TYPE_CHECKING:
    from runnable.journal import AnyParameter

_PART = 100_000  # Linux has 128 KiB for a variable


def packed_variables(parameters: "Mapping[str, AnyParameter]") -> dict[str, str]:
    """Return the variables by which a process gets parameters, exactly.

    Args:
        parameters: By name; objects have no value here, and are left out.

    Returns:
        None if there are no parameters.

    Example:
        >>> from runnable.journal import JsonParameter
        >>> variables = packed_variables({"x": JsonParameter(value="{{a}}")})
        >>> unpacked_variables(variables).values
        {'x': '{{a}}'}
    """
    from runnable.journal import JsonParameter

    known = {
        name: it for name, it in parameters.items() if isinstance(it, JsonParameter)
    }
    if not known:
        return {}
    values = {name: it.value for name, it in known.items()}
    texts = {name: it.text for name, it in known.items() if it.text is not None}
    content = json.dumps([values, texts]).encode()
    text = base64.b64encode(zlib.compress(content)).decode()
    parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
    return {f"{PACKED_PARAMETERS}{number}": it for number, it in enumerate(parts)}


def unpacked_variables(environment: Mapping[str, str]) -> WrittenValues:
    """Return the parameters that variables have; none if they have none.

    Args:
        environment: The variables of a process.
    """
    text = "".join(_parts(environment))
    if not text:
        return WrittenValues({}, {})
    values: dict[str, JsonValue]
    texts: dict[str, JsonValue]
    values, texts = json.loads(zlib.decompress(base64.b64decode(text)))
    return WrittenValues(values, texts)


def _parts(environment: Mapping[str, str]) -> Iterator[str]:
    for number in count():
        part = environment.get(f"{PACKED_PARAMETERS}{number}")
        if part is None:
            return
        yield part
