"""Values with secrets in them: masked in records, refused where they would travel.

Within one process, a step gets the value that an earlier one returned, whatever is in
it; in another process it would get what was recorded, which is masked.
"""

from collections.abc import Mapping

from runnable.datastore import AnyParameter
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
    for name, value in values.items():
        if recorded[name] is not value:
            raise SecretValueError(what, name)


def masked(
    parameters: Mapping[str, AnyParameter], masker: Masker
) -> dict[str, AnyParameter]:
    """Return parameters as they are recorded: without secrets.

    Args:
        parameters: By name.
        masker: Knows the secrets.
    """
    recorded: dict[str, AnyParameter] = {}
    for name, parameter in parameters.items():
        recorded[name] = parameter
        if not isinstance(parameter, StoredObject):
            value = masker.json(parameter.value)
            if value is not parameter.value:
                recorded[name] = parameter.model_copy(update={"value": value})
    return recorded
