"""Steps in containers: start them, show what they print, tell how they have ended."""

# Docker's SDK has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import codecs
import contextlib
import io
import signal
import sys
import tarfile
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runnable.concurrency import call_later
from runnable.context import Services
from runnable.errors import ConfigurationError
from runnable.events.telemetry import carried_environment
from runnable.executor.commands import arguments_of
from runnable.executor.container_settings import ContainerOptions, ContainerSettings
from runnable.executor.execution import StepReport, StepRequest
from runnable.executor.mounts import SECRETS_FOLDER, Mount, mounts_of, variables_of
from runnable.system.working_directory import absolute

_DIGEST = "RUNNABLE_CODE_ID_DOCKER_IMAGE_DIGEST"
_STOP_SECONDS = 10
_TIMEOUT = 600
"""Seconds that an answer of the service may take; pulling an image takes long."""
_TAIL_LINES = 10
_SIGNALS = 128
"""The status of a process that a signal has ended, as shells have it, less that."""


class DockerService:
    """The service of Docker, or of Podman; connected when it is first needed.

    Args:
        host: Its address; from the environment if empty.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._client: Any = None  # docker.DockerClient, which has no types
        self._digests: dict[str, str] = {}

    @property
    def client(self) -> Any:
        """The client of the SDK, connected; ConfigurationError if it cannot be."""
        with self._lock:
            if self._client is None:
                self._client = _connected(self._host)
            return self._client

    def close(self) -> None:
        """Disconnect; calling it again does nothing."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                client.close()

    def digest(self, settings: ContainerSettings) -> str:
        """Return the digest of the image; pull it, if it is to be pulled.

        Args:
            settings: Those of a step.

        Raises:
            ConfigurationError: If the service cannot be reached, or has no such image.
        """
        image, client = settings.docker_image, self.client
        with self._lock:
            if image not in self._digests:
                self._digests[image] = _digest(client, settings)
            return self._digests[image]


def _connected(host: str) -> Any:
    try:
        import docker
        from docker.errors import DockerException
    except ImportError as error:
        raise ConfigurationError(
            f"the executor 'local-container' needs Docker's SDK ({error}): "
            "pip install 'runnable[docker]'"
        ) from error
    try:
        made = docker.DockerClient(host, timeout=_TIMEOUT) if host else None
        client: Any = made or docker.from_env(timeout=_TIMEOUT)
        client.ping()
    except (DockerException, OSError) as error:
        where = host or "the service that the environment names"
        raise ConfigurationError(
            f"Docker cannot be reached at {where}: {error}. Start it, or give its "
            "address as `docker_host` of the executor 'local-container'."
        ) from error
    return client


def _digest(client: Any, settings: ContainerSettings) -> str:
    from docker.errors import DockerException, ImageNotFound

    image = settings.docker_image
    try:
        if settings.pull == "always":
            client.images.pull(image)
        try:
            found = client.images.get(image)
        except ImageNotFound:
            if settings.pull == "never":
                raise
            found = client.images.pull(image)
    except (DockerException, OSError) as error:
        raise ConfigurationError(
            f"there is no image {image!r}: {error}. Build or pull it, or correct "
            "`docker_image` of the executor 'local-container'."
        ) from error
    digests: list[str] = found.attrs.get("RepoDigests") or []
    named = [it.partition("@")[2] for it in digests if "@sha256:" in it]
    return named[0] if named else str(found.id)


class ContainerLauncher:
    """Starts a container for each step of a run.

    Args:
        executor: Has the settings.
        services: Those of the run; their folders are mounted.
    """

    def __init__(self, executor: ContainerOptions, services: Services) -> None:
        self._executor = executor
        self._service = DockerService(executor.docker_host)
        self._mounts = mounts_of(services)

    def launch(self, request: StepRequest) -> "ContainerStep":
        """Prepare the container of a step."""
        settings = self._executor.settings(request.override)
        return ContainerStep(self._service, settings, self._mounts, request)

    def close(self) -> None:
        """Disconnect from Docker."""
        self._service.close()


class ContainerStep:
    """A step in a container that runs once.

    Args:
        service: Starts it.
        settings: Those of the container.
        mounts: The folders of the services.
        request: The step.
    """

    def __init__(
        self,
        service: DockerService,
        settings: ContainerSettings,
        mounts: Sequence[Mount],
        request: StepRequest,
    ) -> None:
        self._service = service
        self._settings = settings
        self._mounts = mounts
        self._request = request
        self._lock = threading.Lock()
        self._container: Any = None
        self._stopped = False

    def wait(self) -> StepReport:
        """Run it, and wait until it has ended."""
        from docker.errors import DockerException

        try:
            return self._run()
        except (DockerException, OSError) as error:
            return StepReport(False, f"its container could not be run: {error}")
        except BaseException:
            # Interrupted here: it records its end before it is removed.
            if self._container is not None:
                _ignoring(self._container.stop, timeout=_STOP_SECONDS)
            raise
        finally:
            self._remove()

    def _run(self) -> StepReport:
        container = self._created()
        with _attached(container) as pieces:
            with self._lock:
                if self._stopped:
                    return StepReport(False, "it was stopped before it started")
                container.start()
            tail = _show(pieces)
        status: int = container.wait()["StatusCode"]
        container.reload()
        reason = _reason(status, container.attrs["State"], self._settings)
        return StepReport(not status, reason, "".join(tail).strip())

    def _created(self) -> Any:
        settings, request = self._settings, self._request
        container = self._service.client.containers.create(
            settings.docker_image,
            command=["runnable", *arguments_of(_within(request))],
            environment=self._environment(),
            volumes=[*_binds(self._mounts), *_volumes(settings.volumes)],
            labels={"runnable.run_id": request.run_id, "runnable.step": request.path},
            **_limits(settings),
        )
        with self._lock:
            self._container = container
        if request.secrets:
            container.put_archive("/", _archive(request.secrets, settings.user))
        return container

    def _environment(self) -> dict[str, str]:
        return {
            **self._settings.environment,
            **carried_environment(),
            **variables_of(self._mounts, self._request.secrets),
            **self._request.variables,
            _DIGEST: self._service.digest(self._settings),
        }

    def stop(self) -> None:
        """Ask it to end; it records that it was cancelled."""
        with self._lock:
            self._stopped, container = True, self._container
        if container is not None:
            # It takes as long as the process takes to end.
            call_later(0, lambda: _ignoring(container.stop, timeout=_STOP_SECONDS))

    def _remove(self) -> None:
        container, self._request = self._container, self._request._replace(secrets={})
        if container is not None and self._settings.auto_remove_container:
            _ignoring(container.remove, force=True, v=True)


def _ignoring(action: Any, **options: object) -> None:
    """Do what may have been done already."""
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        action(**options)


def _within(request: StepRequest) -> StepRequest:
    """Return a request without what means nothing in a container."""
    reference = request.reference._replace(import_path=())
    return request._replace(reference=reference)


def _binds(mounts: Sequence[Mount]) -> Iterator[str]:
    for it in mounts:
        Path(it.here).mkdir(parents=True, exist_ok=True)
        yield f"{it.here}:{it.there.rstrip('/')}:rw"


def _volumes(given: Sequence[str]) -> Iterator[str]:
    for volume in given:
        here, colon, there = volume.partition(":")
        if not colon or not there.startswith("/"):
            raise ConfigurationError(
                f"the volume {volume!r} of local-container is not HOST:CONTAINER, with "
                "an absolute path in the container"
            )
        # A name without a slash is a volume that Docker has.
        yield f"{absolute(here) if '/' in here or here == '.' else here}:{there}"


def _limits(settings: ContainerSettings) -> dict[str, Any]:
    given: dict[str, Any] = {
        "user": settings.user,
        "working_dir": settings.working_dir,
        "network_mode": settings.network,
        "mem_limit": settings.memory,
        "nano_cpus": int(settings.cpus * 1e9) if settings.cpus else None,
    }
    if settings.gpus:
        from docker.types import DeviceRequest

        gpus = DeviceRequest(count=settings.gpus, capabilities=[["gpu"]])
        given["device_requests"] = [gpus]
    return {name: it for name, it in given.items() if it}


def _archive(secrets: Mapping[str, str], user: str) -> bytes:
    """Pack secrets as files that only the user of the container can read."""
    number, _, group = user.partition(":")
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, value in secrets.items():
                content = f"{value}\n".encode()
                entry = tarfile.TarInfo(f"{SECRETS_FOLDER.lstrip('/')}/{name}")
                entry.size, entry.mode = len(content), 0o400
                entry.uid = int(number) if number.isdigit() else 0
                entry.gid = int(group) if group.isdigit() else 0
                archive.addfile(entry, io.BytesIO(content))
        return file.getvalue()


@contextlib.contextmanager
def _attached(container: Any) -> Generator[Iterator[tuple[int, bytes]]]:
    """Attach to the output of a container that is about to start.

    Yields:
        What it prints, piece by piece: 1 or 2 for the stream, and the piece.
    """
    from docker.utils.socket import frames_iter

    wanted = {"stdout": 1, "stderr": 1, "stream": 1, "logs": 1}
    connection: Any = container.attach_socket(params=wanted)
    try:
        yield frames_iter(connection, tty=False)
    finally:
        # The response is what the socket was taken from, and is closed by nobody.
        response = getattr(connection, "_response", connection)
        response.close()
        connection.close()


def _show(pieces: Iterator[tuple[int, bytes]]) -> deque[str]:
    """Pass on what a container prints, until it ends; return its last lines."""
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    streams = {1: (sys.stdout, _decoder()), 2: (sys.stderr, _decoder())}
    for number, piece in pieces:
        stream, decoder = streams[number]
        text = decoder.decode(piece)
        stream.write(text)
        tail.extend(text.splitlines(keepends=True))
    return tail


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("backslashreplace")


def _reason(status: int, state: Mapping[str, Any], settings: ContainerSettings) -> str:
    if state.get("OOMKilled"):
        return f"its container ran out of memory (limit {settings.memory or 'none'})"
    if status == _SIGNALS + signal.SIGKILL and settings.memory:
        # Podman does not say so.
        return (
            f"its container was killed (status {status}), maybe since it ran out of "
            f"memory (limit {settings.memory})"
        )
    if status > _SIGNALS:
        return f"its container ended by signal {status - _SIGNALS}"
    return f"its container ended with status {status}"
