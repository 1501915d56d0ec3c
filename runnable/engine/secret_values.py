"""Values with secrets in them: masked in records, refused where they would travel.

Within one process, a step gets the value that an earlier one returned, whatever is in
it; in another process it would get what was recorded, which is masked.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from runnable.datastore import AnyParameter
from runnable.errors import RunnableError
from runnable.journal import StoredObject
from runnable.secrets import Masker
from runnable.secrets.errors import SecretValueError


def refuse_secrets(
    values: Mapping[str, object], recorded: Mapping[str, object], what: str
) -> None:
    """Refuse values that another process would not get, since they hold a secret.

    Args:
        values: By name.
        recorded: The same as they are recorded.
        what: A subject and a verb for the error, such as `step 'a' returned`.

    Raises:
        SecretValueError: If there is such a value.
    """
    for name in hidden_names(values, recorded):
        raise SecretValueError(what, name)


def hidden_names(
    values: Mapping[str, object], recorded: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the names of values that hold a secret: they are recorded otherwise.

    Args:
        values: By name.
        recorded: The same as they are recorded.
    """
    if values is recorded:
        return ()
    return tuple(name for name, value in values.items() if recorded[name] is not value)


def masked(
    parameters: Mapping[str, AnyParameter], masker: Masker
) -> Mapping[str, AnyParameter]:
    """Return parameters as they are recorded: without secrets.

    Args:
        parameters: By name.
        masker: Knows the secrets.

    Returns:
        The same mapping if it knows none.
    """
    if not masker.knows_any:
        return parameters
    recorded: dict[str, AnyParameter] = {}
    for name, parameter in parameters.items():
        recorded[name] = parameter
        if not isinstance(parameter, StoredObject):
            value = masker.json(parameter.value)
            if value is not parameter.value:
                recorded[name] = parameter.model_copy(update={"value": value})
    return recorded


def mask_own_errors(error: BaseException, masker: Masker) -> None:
    """Mask the texts of an error, and of its causes, as far as they are the library's.

    An exception of the user's is left as it was raised: the caller may need it.

    Args:
        error: Why a step has failed.
        masker: Knows the secrets.
    """
    if not masker.knows_any:
        return
    seen: set[int] = set()
    found: list[BaseException | None] = [error]
    while found:
        one = found.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            found += cast("BaseExceptionGroup[BaseException]", one).exceptions
        elif isinstance(one, RunnableError):
            one.args = tuple(_masked_text(it, masker) for it in one.args)
        if isinstance(one, RunnableError):
            for name, value in vars(one).items():
                setattr(one, name, _masked_text(value, masker))


def _masked_text(value: object, masker: Masker) -> object:
    if isinstance(value, str):
        return masker.text(value)
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        if all(isinstance(it, str) for it in items):
            return masker.value(items)
        return items
    return value
