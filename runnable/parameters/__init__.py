"""Parameters: JSON values, where they come from, and how functions get them."""

from pydantic import JsonValue

from runnable.parameters.binding import Binder, Offer, name_of
from runnable.parameters.identity import identity_of, identity_with_helpers
from runnable.parameters.reducers import as_reduction
from runnable.parameters.sources import read_parameters_file
from runnable.parameters.values import copy_json, json_or_text, shortened, to_json

__all__ = [
    "Binder",
    "JsonValue",
    "Offer",
    "as_reduction",
    "copy_json",
    "identity_of",
    "identity_with_helpers",
    "json_or_text",
    "name_of",
    "read_parameters_file",
    "shortened",
    "to_json",
]
