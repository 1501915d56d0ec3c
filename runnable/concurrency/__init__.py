"""Limits, active runs, threads and heartbeats of a process."""

from runnable.concurrency.active_runs import ActiveRun, Runs
from runnable.concurrency.heartbeat import Heartbeats
from runnable.concurrency.limits import ONE, Limiter
from runnable.concurrency.machine_limits import MachineLimiter
from runnable.concurrency.periodic import Periodic
from runnable.concurrency.queueing import ANY, Wants
from runnable.concurrency.signals import held_signals
from runnable.concurrency.threads import Threads, call_later

__all__ = [
    "ANY",
    "ONE",
    "ActiveRun",
    "Heartbeats",
    "Limiter",
    "MachineLimiter",
    "Periodic",
    "Runs",
    "Threads",
    "Wants",
    "call_later",
    "held_signals",
]
