"""The pipeline in Metaflow: a class whose methods are steps."""

import work
from metaflow import FlowSpec, JSONType, Parameter, step


class Sales(FlowSpec):
    shops = Parameter("shops", type=JSONType, default=work.SHOPS)
    growth = Parameter("growth", default=work.GROWTH)

    @step
    def start(self):
        self.sales = work.load(self.shops)
        self.next(self.forecast, foreach="sales")

    @step
    def forecast(self):
        self.expected = work.forecast(self.input, self.growth)
        self.next(self.add)

    @step
    def add(self, inputs):
        self.total = work.add([it.expected for it in inputs])
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)


if __name__ == "__main__":
    Sales()
