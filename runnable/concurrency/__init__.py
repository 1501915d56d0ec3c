"""Limits, active runs, threads and heartbeats of a process."""

from runnable.concurrency.active_runs import ActiveRun, Runs
from runnable.concurrency.heartbeat import Heartbeats
from runnable.concurrency.limits import Limiter
from runnable.concurrency.periodic import Periodic
from runnable.concurrency.signals import held_signals
from runnable.concurrency.threads import Threads, call_later

__all__ = [
    "ActiveRun",
    "Heartbeats",
    "Limiter",
    "Periodic",
    "Runs",
    "Threads",
    "call_later",
    "held_signals",
]
