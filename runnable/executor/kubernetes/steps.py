"""Steps as Jobs of Kubernetes: create them, show their logs, explain how they ended.

Theory of operation. The Job of a step has one pod, which is not tried again: attempts
are counted by the engine. The pod is looked at twice a second, as JSON, which costs
less than the client's models. Its log is followed from its start, since it is gone with
the pod when the deadline has passed; meanwhile the pod is looked at less often, and as
soon as its log has ended. Its Job is asked only if the pod has failed or is gone: a Job
that has passed its deadline deletes it.
"""

# What the server says is JSON.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from runnable.errors import ConfigurationError
from runnable.executor.execution import LaunchedStep, StepReport, StepRequest
from runnable.executor.kubernetes.settings import Placement

_LOOK_SECONDS = 0.5
_RUNNING_LOOK_SECONDS = 5
_POD_SECONDS = 2
"""How long a Job may take to create its pod before it is asked why."""
_AWAY_SECONDS = 60
"""How long the API server may not answer."""
_EXPLAIN_SECONDS = 5
"""How long the Job of a pod that has failed may take to say why."""
_END_SECONDS = 45
"""How long a pod may take to end that is being deleted."""
_TAIL_LINES = 10
_HOPELESS = {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
_STARTING = {"ContainerCreating", "PodInitializing", "CrashLoopBackOff", ""}


class Api:
    """The API of a cluster.

    Args:
        config_path: The configuration of `kubectl`; the usual one if empty.

    Raises:
        ConfigurationError: If there is none, or the client is not installed.
    """

    def __init__(self, config_path: str) -> None:
        try:
            from kubernetes import client, config
        except ImportError as error:
            raise ConfigurationError(
                f"this executor needs the client of Kubernetes ({error}): "
                "pip install 'runnable[kubernetes]'"
            ) from error
        made = client.Configuration()
        try:
            if config_path:
                config.load_kube_config(config_path, client_configuration=made)
            else:
                config.load_config(client_configuration=made)
        except Exception as error:
            # Whatever the client raises for a file that is missing, or wrong.
            raise ConfigurationError(
                f"there is no configuration of Kubernetes: {error}. Give the path of "
                "one as `config_path` of the executor."
            ) from error
        made.retries = False
        self._client = client.ApiClient(made)
        self.jobs: Any = client.BatchV1Api(self._client)
        self.core: Any = client.CoreV1Api(self._client)

    def check(self, namespace: str) -> None:
        """Ask for the pods of a namespace.

        Raises:
            ConfigurationError: If the cluster cannot be reached, or does not answer.
        """
        try:
            self.pods(namespace, "nothing")
        except Exception as error:  # whatever the client raises
            reason = getattr(error, "reason", "") or str(error)
            raise ConfigurationError(
                f"Kubernetes does not list the pods of namespace {namespace!r}: "
                f"{type(error).__name__}: {reason}. Check `config_path` and "
                "`namespace` of the executor, and that the cluster can be "
                "reached."
            ) from error

    def pods(self, namespace: str, job: str) -> list[dict[str, Any]]:
        """Return the pods of a Job."""
        answer: Any = self.core.list_namespaced_pod(
            namespace,
            label_selector=f"job-name={job}",
            _preload_content=False,
            _request_timeout=10,
        )
        found: list[dict[str, Any]] = json.loads(answer.data)["items"]
        return found

    def job(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Job."""
        answer: Any = self.jobs.read_namespaced_job(
            name, namespace, _preload_content=False, _request_timeout=10
        )
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def schedule(self, namespace: str, manifest: dict[str, Any]) -> None:
        """Create a CronJob, or change the one of its name."""
        from kubernetes import client

        known: Any = self.jobs.get_api_resources(_request_timeout=10)
        names = {it.name for it in known.resources}
        # Before Kubernetes 1.21, it was in the version before.
        version = "v1" if "cronjobs" in names else "v1beta1"
        manifest = {**manifest, "apiVersion": f"batch/{version}"}
        where = ("batch", version, namespace, "cronjobs")
        objects: Any = client.CustomObjectsApi(self._client)
        try:
            objects.create_namespaced_custom_object(*where, manifest)
        except client.ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            name = manifest["metadata"]["name"]
            objects.patch_namespaced_custom_object(*where, name, manifest)

    def create(self, namespace: str, manifest: dict[str, Any]) -> None:
        """Create a Job."""
        # Without models of the answer, which cost more than the request.
        # It is read, so that its connection serves the next request.
        self.jobs.create_namespaced_job(
            namespace, manifest, _preload_content=False
        ).read()

    def delete(self, namespace: str, name: str) -> None:
        """Delete a Job, and its pods in the background."""
        self.jobs.delete_namespaced_job(
            name,
            namespace,
            propagation_policy="Background",
            _preload_content=False,
            _request_timeout=10,
        ).read()

    def close(self) -> None:
        """Disconnect."""
        self._client.close()


class PlannedJob(NamedTuple):
    """A Job that is to be created."""

    manifest: dict[str, Any]
    pending_seconds: float
    """How long its pod may be unable to start."""


class JobLauncher:
    """Creates a Job for each step of a run.

    Args:
        plan: Plans the Job of a step.
        placement: Where Jobs and stores are.
    """

    def __init__(
        self, plan: Callable[[StepRequest], PlannedJob], placement: Placement
    ) -> None:
        self._plan = plan
        self._placement = placement
        self._lock = threading.Lock()
        self._api: Api | None = None

    def launch(self, request: StepRequest) -> LaunchedStep:
        """Prepare the Job of a step."""
        return JobStep(self.api(), self._plan(request), self._placement)

    def api(self) -> Api:
        """Return the API of the cluster, once connected."""
        with self._lock:
            if self._api is None:
                self._api = Api(self._placement.config_path)
            return self._api

    def close(self) -> None:
        """Disconnect from the cluster."""
        with self._lock:
            if self._api is not None:
                self._api.close()
            self._api = None


class JobStep:
    """A step as a Job that runs once.

    Args:
        api: Of the cluster.
        job: The Job.
        placement: Where it is.
    """

    def __init__(self, api: Api, job: PlannedJob, placement: Placement) -> None:
        self._api = api
        self._job = job.manifest
        self._name: str = job.manifest["metadata"]["name"]
        self._pending_seconds = job.pending_seconds
        self._placement = placement
        self._stopped = threading.Event()
        self._is_due = threading.Event()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._logs: dict[str, threading.Thread] = {}

    def wait(self) -> StepReport:
        """Create it, and wait until it has ended."""
        namespace = self._placement.namespace
        try:
            if self._stopped.is_set():
                return StepReport(False, "it was stopped before it started")
            self._api.create(namespace, self._job)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return StepReport(False, f"its Job was refused: {text_of(error)}")
        try:
            status, reason = self._follow()
        except BaseException:
            # Interrupted here: its pod records its end before it is gone.
            self.stop()
            self._wait_for_end()
            raise
        finally:
            if self._placement.auto_remove:
                self._delete()
        for log in self._logs.values():
            log.join(_END_SECONDS)
        said = "".join(self._tail).strip()
        # A claim, or a folder of the node, need not be here as well.
        return StepReport(not status, reason, said, has_other_stores=True)

    def _follow(self) -> tuple[int, str]:
        """Look at the pod until it has ended; return its status, and what it means."""
        began = seen = had_pod = time.monotonic()
        while True:
            try:
                pods = self._api.pods(self._placement.namespace, self._name)
                seen = time.monotonic()
            except Exception as error:  # noqa: BLE001 - the server may be away
                if time.monotonic() - seen > _AWAY_SECONDS:
                    return 1, f"Kubernetes does not answer: {text_of(error)}"
                time.sleep(_LOOK_SECONDS)
                continue
            # Those before the last one have failed, and were tried again.
            pods.sort(key=lambda it: str(it["metadata"]["creationTimestamp"]))
            if pods:
                had_pod = seen
            waited = seen - (began if pods else had_pod)
            end = self._end_of(pods[-1] if pods else {}, waited)
            if end is not None and not (
                end[0] and _has_run(pods) and self._is_tried_again()
            ):
                return self._explained(*end)
            self._wait_for_look()
            if self._stopped.is_set():
                self._wait_for_end()
                return 1, "its Job was deleted"

    def _wait_for_look(self) -> None:
        """Wait until the pod is to be looked at again."""
        prints = any(it.is_alive() for it in self._logs.values())
        self._is_due.wait(_RUNNING_LOOK_SECONDS if prints else _LOOK_SECONDS)
        self._is_due.clear()

    def _end_of(self, pod: Mapping[str, Any], waited: float) -> tuple[int, str] | None:
        """Return how a pod has ended; None while it has not."""
        status: Mapping[str, Any] = pod.get("status", {})
        (state,) = status.get("containerStatuses", [{}])[:1]
        phases: Mapping[str, Any] = state.get("state", {})
        if "running" in phases or "terminated" in phases:
            self._follow_log(pod["metadata"]["name"])
        if "terminated" in phases:
            return _ended(phases["terminated"], status, self._memory())
        if status.get("phase") == "Failed":
            why = status.get("reason", ""), status.get("message", "")
            said = ": ".join(it for it in why if it) or "nothing says why"
            return 1, f"its pod has failed: {said}"
        if "running" not in phases:
            return (
                self._unstarted(status, phases, waited) if pod else self._no_pod(waited)
            )
        return None

    def _is_tried_again(self) -> bool:
        """Return whether Kubernetes starts another pod for one that has failed."""
        return bool(self._job["spec"]["backoffLimit"]) and self._failed_job() is None

    def _memory(self) -> str:
        (container,) = self._job["spec"]["template"]["spec"]["containers"]
        limits: Mapping[str, object] = container.get("resources", {}).get("limits", {})
        return str(limits.get("memory", "of the node"))

    def _explained(self, status: int, reason: str) -> tuple[int, str]:
        """Return how a pod has ended; if it was the deadline, only its Job says so."""
        end = time.monotonic() + _EXPLAIN_SECONDS
        while status and time.monotonic() < end:
            if failed := self._failed_job():
                return failed if "DeadlineExceeded" in failed[1] else (status, reason)
            time.sleep(_LOOK_SECONDS)
        return status, reason

    def _unstarted(
        self, status: Mapping[str, Any], phases: Mapping[str, Any], waited: float
    ) -> tuple[int, str] | None:
        waiting: Mapping[str, str] = phases.get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _HOPELESS:
            return 1, f"its pod cannot start: {reason}: {waiting.get('message', '')}"
        if waited < self._pending_seconds:
            return None
        if reason not in _STARTING:
            return 1, f"its pod cannot start: {reason}: {waiting.get('message', '')}"
        for it in status.get("conditions", []):
            if it["type"] == "PodScheduled" and it["status"] == "False":
                why = f"{it.get('reason', '')}: {it.get('message', '')}"
                return 1, f"its pod found no node in {waited:.0f} s: {why}"
        return None

    def _no_pod(self, waited: float) -> tuple[int, str] | None:
        if waited > _POD_SECONDS and (failed := self._failed_job()):
            return failed
        if waited < self._pending_seconds:
            return None
        return 1, f"its Job created no pod in {waited:.0f} s: {self._name}"

    def _failed_job(self) -> tuple[int, str] | None:
        """Return why the Job has failed, if it has: the deadline, mostly."""
        with contextlib.suppress(Exception):  # the next look may be luckier
            job = self._api.job(self._placement.namespace, self._name)
            for it in job["status"].get("conditions") or []:
                if it["type"] == "Failed" and it["status"] == "True":
                    why = f"{it.get('reason', '')}: {it.get('message', '')}"
                    return 1, f"its Job has failed: {why}"
        return None

    def _follow_log(self, pod: str) -> None:
        if pod not in self._logs:
            log = threading.Thread(target=self._show_log, args=(pod,), daemon=True)
            self._logs[pod] = log
            log.start()

    def _show_log(self, pod: str) -> None:
        """Pass on what a pod prints, until it ends."""
        with contextlib.suppress(Exception):  # it is gone, or the server is away
            answer: Any = self._api.core.read_namespaced_pod_log(
                pod, self._placement.namespace, follow=True, _preload_content=False
            )
            for line in answer:
                text = line.decode("utf-8", "backslashreplace")
                sys.stdout.write(text)
                self._tail.append(text)
        self._is_due.set()

    def stop(self) -> None:
        """Delete it; its pod is asked to end, and records that it was cancelled."""
        self._stopped.set()
        self._is_due.set()
        self._delete()

    def _delete(self) -> None:
        with contextlib.suppress(Exception):  # it is gone already
            self._api.delete(self._placement.namespace, self._name)

    def _wait_for_end(self) -> None:
        end = time.monotonic() + _END_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(Exception):  # the server may be away
                if not self._api.pods(self._placement.namespace, self._name):
                    return
            time.sleep(_LOOK_SECONDS)


def _has_run(pods: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the last pod has run, so that another one may have more luck."""
    status: Mapping[str, Any] = pods[-1].get("status", {}) if pods else {}
    (state,) = status.get("containerStatuses", [{}])[:1]
    return status.get("phase") == "Failed" or "terminated" in state.get("state", {})


def text_of(error: Exception) -> str:
    """Return what the server says of an error.

    Args:
        error: What the client has raised.
    """
    with contextlib.suppress(Exception):  # it may have said nothing
        return str(json.loads(getattr(error, "body", ""))["message"])
    return f"{type(error).__name__}: {error}"


def _ended(
    terminated: Mapping[str, Any], status: Mapping[str, Any], memory: str
) -> tuple[int, str]:
    code, reason = int(terminated["exitCode"]), terminated.get("reason", "")
    if reason == "OOMKilled":
        return code or 1, f"its pod ran out of memory (OOMKilled, limit {memory})"
    if status.get("reason"):
        why = f"{status['reason']}: {status.get('message', '')}"
        return code or 1, f"its pod has failed: {why}"
    return code, f"its pod ended with status {code} ({reason})"
