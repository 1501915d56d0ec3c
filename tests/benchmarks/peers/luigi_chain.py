"""Luigi, with targets in memory; records nothing else."""

import time
import uuid

import luigi
from luigi.mock import MockTarget
from measured import main


class Step(luigi.Task):
    of_run = luigi.Parameter()
    number = luigi.IntParameter()
    value = luigi.IntParameter()
    pause = luigi.FloatParameter()

    def requires(self):
        return self.clone(number=self.number - 1) if self.number else []

    def output(self):
        return MockTarget(f"{self.of_run}-{self.number}")

    def run(self):
        x = self.value
        if self.number:
            with self.input().open() as file:
                x = int(file.read())
        if self.pause:
            time.sleep(self.pause)
        with self.output().open("w") as file:
            file.write(str(x if self.pause else x + 1))


def make(count, pause):
    def run(value):
        last = Step(uuid.uuid4().hex, count - 1, value, pause)
        luigi.build([last], local_scheduler=True, log_level="CRITICAL")
        with last.output().open() as file:
            return int(file.read())

    return run


main(make)
