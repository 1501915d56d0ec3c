"""The pipeline in Luigi: tasks that ask for other tasks, and leave files."""

import json

import luigi
import work


class Load(luigi.Task):
    shops = luigi.ListParameter()

    def output(self):
        return luigi.LocalTarget("sales.json")

    def run(self):
        with self.output().open("w") as file:
            json.dump(work.load(self.shops), file)


class Forecast(luigi.Task):
    shops = luigi.ListParameter()
    growth = luigi.FloatParameter()
    number = luigi.IntParameter()

    def requires(self):
        return Load(self.shops)

    def output(self):
        return luigi.LocalTarget(f"forecast-{self.number}.json")

    def run(self):
        with self.input().open() as file:
            sold = json.load(file)[self.number]
        with self.output().open("w") as file:
            json.dump(work.forecast(sold, self.growth), file)


class Add(luigi.Task):
    shops = luigi.ListParameter()
    growth = luigi.FloatParameter()

    def requires(self):
        numbers = range(len(self.shops))
        return [Forecast(self.shops, self.growth, number) for number in numbers]

    def output(self):
        return luigi.LocalTarget("total.json")

    def run(self):
        expected = []
        for target in self.input():
            with target.open() as file:
                expected.append(json.load(file))
        with self.output().open("w") as file:
            json.dump(work.add(expected), file)


if __name__ == "__main__":
    task = Add(work.SHOPS, work.GROWTH)
    luigi.build([task], local_scheduler=True, log_level="WARNING")
    with task.output().open() as file:
        print("total", json.load(file))
