"""Parameters of many pipelines, of which each is given those that it uses."""

from runnable.graph import names_known


def used_by(pipeline, parameters):
    """Return the parameters that a pipeline uses."""
    known = names_known(pipeline.return_dag())
    return {
        name: it for name, it in parameters.items() if known is None or name in known
    }
