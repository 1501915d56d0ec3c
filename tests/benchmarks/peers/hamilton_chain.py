"""Hamilton: a graph of functions, named by their arguments; records nothing."""

from hamilton import ad_hoc_utils, base, driver
from measured import adding, main

SOURCE = """
def s{number}({before}: int) -> int:
    return work({before})
"""


def make(count, pause):
    work = adding(pause)
    functions = []
    for number in range(count):
        names = {"work": work}
        before = f"s{number - 1}" if number else "x"
        exec(SOURCE.format(number=number, before=before), names)
        functions.append(names[f"s{number}"])
    module = ad_hoc_utils.create_temporary_module(*functions, module_name=f"m{count}")
    built = driver.Builder().with_modules(module).with_adapters(base.DictResult())
    graph, last = built.build(), f"s{count - 1}"
    return lambda value: graph.execute([last], inputs={"x": value})[last]


main(make)
