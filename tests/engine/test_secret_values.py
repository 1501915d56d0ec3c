"""Values with secrets: masked copies in records, refused where they would travel."""

import pytest

from runnable.datastore import JsonParameter
from runnable.engine.secret_values import masked, refuse_secrets
from runnable.exceptions import SecretValueError
from runnable.secrets import Masker


def test_masked_parameters_are_copies():
    masker = Masker()
    masker.learn("TOKEN", "s3cr3t-value")
    given = {
        "x": JsonParameter(value=["s3cr3t-value"]),
        "y": JsonParameter(value={"loss": [float("nan")]}),
    }
    recorded = masked(given, masker)
    assert recorded["x"].value == ["***"]
    assert given["x"].value == ["s3cr3t-value"]
    assert recorded["y"] is given["y"]


def test_a_value_that_would_travel_as_a_mask_is_refused():
    values = {"x": JsonParameter(value=1), "y": JsonParameter(value="s3cr3t")}
    refuse_secrets(values, values, "step 'a' returned")
    recorded = {**values, "y": JsonParameter(value="***")}
    with pytest.raises(SecretValueError, match=r"step 'a' returned 'y'.*secrets="):
        refuse_secrets(values, recorded, "step 'a' returned")
