"""Burr: a state machine that records nothing. A step of it is the unit."""

import time

from burr.core import ApplicationBuilder, State, action
from measured import main


def make(count, pause):
    def one():
        @action(reads=["x"], writes=["x"])
        def step(state: State) -> State:
            if pause:
                time.sleep(pause)
                return state.update(x=state["x"])
            return state.update(x=state["x"] + 1)

        return step

    actions = {f"s{number}": one() for number in range(count)}
    follow = [(f"s{number}", f"s{number + 1}") for number in range(count - 1)]

    def run(value):
        built = ApplicationBuilder().with_actions(**actions).with_transitions(*follow)
        application = built.with_state(x=value).with_entrypoint("s0").build()
        *_, state = application.run(halt_after=[f"s{count - 1}"])
        return state["x"]

    return run


main(make)
