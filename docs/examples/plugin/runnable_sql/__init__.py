"""A sample plugin of runnable: a task, a step and a service of each kind."""
