"""The names of version 0.50's module of this name."""

from runnable.system.run_ids import get_random_name

__all__ = ["get_random_name"]
