"""Errors say what is wrong, where, and what to do; and survive pickling."""

import pickle

import pytest

from runnable import exceptions
from runnable.datastore import RunLog
from runnable.exceptions import RunnableError, did_you_mean

EXAMPLES = [
    (exceptions.RunnableError("text"), "text"),
    (exceptions.DefinitionError("text"), "text"),
    (exceptions.SettingsError("Stub 's'", ("a", "b")), "Stub 's': a; b"),
    (exceptions.GraphError("p", ["one"]), "pipeline 'p' cannot run: one"),
    (exceptions.GraphError("", ["one", "two"]), "for 2 reasons:\n  - one\n  - two"),
    (exceptions.NodeNotFoundError("lod", ["load"]), "Did you mean 'load'?"),
    (exceptions.BranchNotFoundError("x"), "no branch 'x'"),
    (exceptions.NodeMethodCallError("text"), "text"),
    (exceptions.TerminalNodeError("text"), "text"),
    (exceptions.ConfigurationError("wrong", "c.yaml"), "c.yaml: wrong"),
    (exceptions.ServiceNotFoundError("catalog", "x", ["y"]), "no catalog of type 'x'"),
    (exceptions.ParametersFileError("wrong", "p.yaml"), "p.yaml: wrong"),
    (exceptions.ExecutionCancelledError("r1"), "Run 'r1' was cancelled"),
    (exceptions.EngineBusyError("runs", 8), "8 runs are active"),
    (exceptions.EngineBusyError("runs", 0), "shutting down"),
    (
        exceptions.PipelineFileError(
            "wrong", "p.yaml:1:2", [("this too", "p.yaml:3:4")]
        ),
        "p.yaml:1:2: wrong\np.yaml:3:4: this too",
    ),
    (
        exceptions.ExecutionFailedError("r1", RunLog(run_id="r1"), "step 's': E"),
        "Run 'r1' failed: step 's': E",
    ),
    (exceptions.RunError("text"), "text"),
    (exceptions.ExecutionFailedError("r1"), "Run 'r1' failed"),
    (exceptions.BindingError("f", "x", "'a'", "int"), "f() cannot be given"),
    (exceptions.ParameterMissingError("f", "x", ["y"], "s"), "Step 's': f() needs"),
    (
        exceptions.ParametersMissingError([
            exceptions.ParameterMissingError("f", "x", ["y"], "s"),
            exceptions.ParameterMissingError("", "items", ["item"], "m"),
        ]),
        "2 parameters are missing:\n  - Step 's': f() needs parameter 'x'",
    ),
    (exceptions.ParameterTypeError("p", ["one"]), "cannot run: one. Correct the"),
    (exceptions.ParameterTypeError("p", ["one", "two"]), "- two\nCorrect the annot"),
    (exceptions.ParameterUnknownError(["rat"], ["rate"]), "Did you mean 'rate'?"),
    (
        exceptions.ParameterUnknownError(["a", "b"], ["rate"]),
        "No step uses a parameter 'a' (nor 'b').",
    ),
    (exceptions.BranchingError("x", "'a'", "no list"), "Parameter 'x' is 'a': no"),
    (exceptions.ReductionError("max", "x", "TypeError: no"), "'max' failed on what"),
    (exceptions.BranchFailedError("p.a"), "'p.a' failed: it ended at its fail node"),
    (
        exceptions.BranchesFailedError("p", ["p.a"], [ValueError("no")], 2),
        "1 of 2 branches of step 'p' failed: 'p.a' (ValueError: no)",
    ),
    (exceptions.StepTimeoutError(1.5), "longer than timeout_seconds=1.5"),
    (exceptions.StreamEndError("f", "done", ["x"], None), "no event of type 'done'"),
    (exceptions.StreamEndError("f", "done", ["x"], ["y"]), "'done' that has 'y'"),
    (exceptions.WorkerError("text"), "text"),
    (exceptions.ReturnsError("f", ["a", "b"], 1), "declares 2: a, b"),
    (exceptions.ValueNotStorableError("a.b", "set"), "a.b is a set"),
    (exceptions.ValueTooLongError("x", "list", 1000), "more than 1,000 characters"),
    (
        exceptions.ObjectNotPicklableError("x", "lock", "TypeError: no"),
        "'x' is a lock that cannot be pickled (TypeError: no)",
    ),
    (
        exceptions.ObjectNotLoadableError("x", "ValueError: no"),
        "'x' cannot be unpickled: ValueError: no",
    ),
    (
        exceptions.FieldMissingError("f", "rows", "dict"),
        "f() returned a dict without 'rows'",
    ),
    (
        exceptions.OutputTypeError("n", int, "a", "no number"),
        "Output 'n' is a str, not a int: no number",
    ),
    (exceptions.CommandCallError("text"), "text"),
    (exceptions.SecretNotFoundError("T", "the vault"), "no secret 'T' in the vault"),
    (
        exceptions.SecretValueError("step 'a' returned", "x"),
        "returned 'x' with a secret",
    ),
    (exceptions.RetryValidationError("r1", "changed"), "cannot be retried: changed"),
    (exceptions.StoreError("text"), "text"),
    (exceptions.RunUnderWayError("r1"), "'r1' is active"),
    (
        exceptions.RunsNotDeletedError(["r1"], {"r2": OSError("no")}),
        "Deleted: r1. Not deleted:\n  - r2: no",
    ),
    (exceptions.RunLogContinuedError("r1"), "continued by another process"),
    (exceptions.RunLogExistsError("r1", "here"), "'r1' exists already in here"),
    (exceptions.RunLogNotFoundError("r1", "here"), "no run 'r1' in here"),
    (exceptions.AmbiguousRunIdError("r", ["r1", "r2"]), "of 2 runs begin: r1, r2."),
    (exceptions.ArtifactNotFoundError("m", "is not in run 'r1'"), "'m' is not in run"),
    (exceptions.RunLogDamagedError("r1", "f:1", "torn"), "damaged: f:1: torn"),
    (exceptions.StepLogNotFoundError("r1", "s"), "'r1' has no step 's'"),
    (exceptions.BranchLogNotFoundError("r1", "b"), "'r1' has no branch 'b'"),
    (exceptions.JobLogNotFoundError("r1"), "'r1' is not a job"),
    (exceptions.EntityNotFoundError("text"), "text"),
    (exceptions.StoreAccessError("s3://runs", "refused"), "s3://runs cannot be read"),
    (exceptions.EarlierInputsError("r1", "model"), "kept 'model' in memory only"),
    (exceptions.CatalogError("f.csv", "is missing"), "'f.csv' is missing"),
    (exceptions.ObjectDamagedError("o", "is damaged"), "'o' is damaged"),
]


@pytest.mark.parametrize(("error", "text"), EXAMPLES, ids=lambda it: type(it).__name__)
def test_text_and_pickling(error, text):
    assert text in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert repr(vars(again)) == repr(vars(error))


def test_every_error_has_an_example():
    shown = {type(error) for error, _ in EXAMPLES}
    assert {
        error
        for error in (getattr(exceptions, name) for name in exceptions.__all__)
        if isinstance(error, type) and issubclass(error, RunnableError)
    } == shown


def test_suggestions():
    assert did_you_mean("zzz", []) == "Known: none."
    assert did_you_mean("a", ["b", "aa"]).endswith("Known: aa, b.")
