"""The pipeline in Airflow: a DAG of decorated functions, written to its database."""

import work
from airflow.sdk import dag, task


@dag(schedule=None)
def sales(shops: list[str] = work.SHOPS, growth: float = work.GROWTH):
    load, forecast, add = task(work.load), task(work.forecast), task(work.add)
    sold = load(shops)
    expected = forecast.partial(growth=growth).expand(sold=sold)
    add(expected)


flow = sales()

if __name__ == "__main__":
    run = flow.test()
    (add,) = (it for it in run.get_task_instances() if it.task_id == "add")
    print("total", add.xcom_pull(task_ids="add"))
