"""`type: twice`: a step that runs its branch two times."""

from runnable.graph import ParallelNode, StepNode
from runnable.sdk import CompositeStep
from runnable.sdk.composites import Branch


class Twice(CompositeStep):
    """Runs a pipeline twice, at once: to see whether it comes to the same.

    A step of your own makes a node that the engine knows; its fields are the keys that
    a pipeline file may have, and `branch` and `branches` are graphs there.
    """

    branch: Branch

    @property
    def graph_branches(self):
        """The graphs of the branches, by name."""
        graph = self.branch.return_dag()
        return {"first": graph, "second": graph}

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return ParallelNode(
            name=self.name,
            next_node=next_node,
            on_failure=on_failure,
            overrides=dict(self.overrides),
            branches=self.graph_branches,
        )
