"""pydantic-graph: an asynchronous graph; records nothing."""

import asyncio
import itertools

from measured import main
from pydantic_graph import GraphBuilder, StepContext


def make(count, pause):
    builder = GraphBuilder(input_type=int, output_type=int)

    def one(number):
        @builder.step(node_id=f"s{number}")
        async def step(context: StepContext[None, None, int]) -> int:
            if pause:
                await asyncio.sleep(pause)
                return context.inputs
            return context.inputs + 1

        return step

    steps = [one(number) for number in range(count)]
    ends = [builder.start_node, *steps, builder.end_node]
    pairs = itertools.pairwise(ends)
    builder.add(*[builder.edge_from(one).to(two) for one, two in pairs])
    graph = builder.build()
    return lambda value: asyncio.run(graph.run(inputs=value))


main(make)
