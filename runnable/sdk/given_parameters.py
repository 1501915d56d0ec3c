"""The parameters that a run starts with: are they JSON, enough, and used?"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from runnable.datastore import AnyParameter
from runnable.engine import json_parameters
from runnable.graph import Need
from runnable.parameters.errors import (
    ParameterMissingError,
    ParametersMissingError,
    ParameterUnknownError,
    ValueNotStorableError,
)
from runnable.sdk.run_request import RunRequest


def initial_parameters(
    values: Mapping[str, object], texts: Mapping[str, JsonValue]
) -> dict[str, AnyParameter]:
    """Turn the values that a run starts with into parameters.

    Args:
        values: By name.
        texts: Those that were written as text, as they were written.

    Raises:
        ValueNotStorableError: If one is no JSON; names it.
    """
    try:
        return json_parameters(values, texts)
    except ValueNotStorableError as error:
        advice = "A run starts with JSON values; let its first step make objects."
        raise ValueNotStorableError(
            error.location, error.kind, error.why, advice
        ) from None


def check_names(request: RunRequest, given: Sequence[object]) -> None:
    """Refuse parameters that a caller gives and no step uses: a name is misspelt.

    Args:
        request: What is run.
        given: Their names.

    Raises:
        ParameterUnknownError: If there are any; names all.
    """
    known = request.names_known if given else None
    if known is None:
        return
    unknown = [it for it in given if isinstance(it, str) and it not in known]
    if unknown:
        raise ParameterUnknownError(unknown, sorted(known))


def check_parameters(
    unprovided: Sequence[Need], parameters: Mapping[str, AnyParameter]
) -> None:
    """Refuse to start without the parameters that steps need.

    Args:
        unprovided: What no step provides.
        parameters: Those that the run starts with.

    Raises:
        ParameterMissingError: If one is missing; several are listed.
    """
    missing = [
        ParameterMissingError(
            need.command,
            need.name,
            sorted(need.known.union(parameters)),
            need.step,
            hint=need.hint,
        )
        for need in unprovided
        if need.name not in parameters
    ]
    if missing:
        raise missing[0] if len(missing) == 1 else ParametersMissingError(missing)
