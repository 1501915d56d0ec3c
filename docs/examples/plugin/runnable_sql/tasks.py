"""`command_type: sql`: a query as a task."""

import sqlite3
from collections.abc import Mapping

from runnable import Provide, inject
from runnable.parameters import Offer
from runnable.tasks import BaseTaskType, Call


class SqlTask(BaseTaskType):
    """Runs a query on a SQLite file; parameters are those of the query.

    It returns the rows as lists, as the one parameter that `returns` names.
    """

    task_type: str = "sql"
    database: str = ":memory:"
    """The file; its fields are the keys that a pipeline file may have."""

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Say which call runs the query, with the parameters that there are."""
        values = {
            name: offer.load() for name, offer in offers.items() if not offer.is_object
        }
        return Call(self._query, kwargs={"values": values})

    def _query(self, values: Mapping[str, object]) -> list[list[object]]:
        connection = sqlite3.connect(self.database)
        try:
            with connection:
                rows = connection.execute(self.command, values).fetchall()
        finally:
            connection.close()
        print(f"{len(rows)} rows for run {require_run()}")
        return [list(row) for row in rows]


@inject
def require_run(*, run_id: str = Provide["run_id"]) -> str:
    """Return the id of the run that asks: markers work in plugins as anywhere."""
    return run_id
