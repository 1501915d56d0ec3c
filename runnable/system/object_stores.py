"""Buckets of S3 and of servers that speak its protocol.

An object appears whole or not at all, and `create` is refused where there is one: this
is what catalogs and run log stores build on.
"""

# The types of obstore leave pages unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar, NamedTuple

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
)

from runnable.system.errors import StoreAccessError

if TYPE_CHECKING:  # obstore has them as types only
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

Content = bytes | BinaryIO

_AT_ONCE = 1000
"""How many objects a page of a list has, or one request deletes."""
_PIECE_BYTES = 1024 * 1024
_RETRIES: "RetryConfig" = {
    "max_retries": 16,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {
        "init_backoff": timedelta(seconds=0.2),
        "max_backoff": timedelta(seconds=3),
        "base": 2,
    },
}
"""So that a server may be away for some ten seconds."""


class Kept(NamedTuple):
    """An object as it was found; its bytes come when they are asked for."""

    size_bytes: int
    attributes: Mapping[str, str]
    pieces: Iterator[memoryview]


class Objects:
    """The objects of a bucket, or of a folder in it.

    Args:
        store: The bucket.
        location: Its address, for errors.
    """

    def __init__(self, store: S3Store, location: str) -> None:
        self._store = store
        self._location = location

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            text = str(error)
            if "NoSuchBucket" in text:
                raise StoreAccessError(
                    self._location, "there is no such bucket"
                ) from None
            if isinstance(error, FileNotFoundError | AlreadyExistsError):
                raise
            # Its text is pages long.
            raise StoreAccessError(self._location, text.splitlines()[0]) from error

    def put(self, key: str, content: Content, **attributes: str) -> None:
        """Put an object in the place of another one, or of none."""
        with self._told():
            self._store.put(key, content, attributes=attributes)

    def put_once(self, key: str, content: bytes) -> bool:
        """Put an object that is not there yet.

        Args:
            key: Its name.
            content: Its bytes, which no other caller would put there.

        Returns:
            Whether it was put; if not, there is another one.
        """
        try:
            with self._told():
                self._store.put(key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            # A request whose answer was lost is made again, and finds what it has put.
            return self.get(key) == content
        return True

    def get(self, key: str) -> bytes:
        """Return the bytes of an object; FileNotFoundError if there is none."""
        with self._told():
            return bytes(self._store.get(key).bytes())

    def find(self, key: str, *, bytes_too: bool = True) -> Kept:
        """Return an object; FileNotFoundError if there is none.

        Args:
            key: Its name.
            bytes_too: Whether its bytes will be asked for.
        """
        with self._told():
            found = self._store.get(key, options={"head": not bytes_too})
        attributes = {str(name): str(it) for name, it in found.attributes.items()}
        return Kept(found.meta["size"], attributes, self._pieces(found))

    def _pieces(self, found: "GetResult") -> Generator[memoryview]:
        with self._told():
            for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield memoryview(piece)

    def has(self, key: str) -> bool:
        """Return True if there is an object."""
        try:
            self.find(key, bytes_too=False)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> Iterator[str]:
        """Yield the names of the objects in a folder and below, relative to it."""
        with self._told():
            for page in self._store.list(folder, chunk_size=_AT_ONCE):
                for found in page:
                    yield found["path"][len(folder) + 1 :]

    def folders(self) -> list[str]:
        """List the folders at the top."""
        with self._told():
            return list(self._store.list_with_delimiter()["common_prefixes"])

    def copy(self, source: str, target: str) -> None:
        """Have the server copy an object."""
        with self._told():
            self._store.copy(source, target)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, the first ones first."""
        for start in range(0, len(keys), _AT_ONCE):
            with self._told():
                self._store.delete(keys[start : start + _AT_ONCE])


Bucket = Annotated[str, Field(validation_alias=AliasChoices("bucket", "bucket_name"))]
Endpoint = Annotated[
    str | None, Field(validation_alias=AliasChoices("endpoint_url", "endpoint"))
]
_MINIO_KEY = "minioadmin"


class S3Place(BaseModel):
    """A service whose things are in a bucket of S3.

    Without keys, those of the environment or of the machine's role are used, as other
    tools of AWS do.
    """

    model_config = ConfigDict(
        extra="forbid", defer_build=True, validate_by_name=True, validate_by_alias=True
    )

    secret_options: ClassVar[frozenset[str]] = frozenset({
        "aws_access_key_id",
        "aws_secret_access_key",
    })
    service_name: str = "s3"
    bucket: Bucket
    """The name of a bucket that exists, and maybe a folder in it: `data/runs`."""
    endpoint_url: Endpoint = None
    """Another server than Amazon's, such as `http://localhost:9002`."""
    region: str = "us-east-1"
    """Where the bucket is."""
    aws_access_key_id: SecretStr | None = None
    """Of the credentials; those of the environment or of the machine if None."""
    aws_secret_access_key: SecretStr | None = None
    """The secret of that key."""

    _bucket: Objects | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Go on to what else the service is; pydantic's own would not."""
        super().model_post_init(context)

    def __getstate__(self) -> dict[Any, Any]:
        # Connections belong to this process.
        state = super().__getstate__()
        own: dict[str, object] = {**(state["__pydantic_private__"] or {})}
        own["_bucket"] = None
        return {**state, "__pydantic_private__": own}

    @property
    def objects(self) -> Objects:
        """The bucket, or the folder in it."""
        if self._bucket is None:
            # Two threads may both open it: either will do.
            self._bucket = self._open()
        return self._bucket

    def _open(self) -> Objects:
        bucket, _, folder = self.bucket.partition("/")
        config: S3Config = {"region": self.region}
        if self.endpoint_url:
            config["endpoint"] = self.endpoint_url
            config["virtual_hosted_style_request"] = False
        if self.aws_access_key_id:
            config["access_key_id"] = self.aws_access_key_id.get_secret_value()
        if self.aws_secret_access_key:
            config["secret_access_key"] = self.aws_secret_access_key.get_secret_value()
        options: ClientConfig = {"allow_http": True}
        store = S3Store(
            bucket,
            prefix=folder or None,
            config=config,
            client_options=options,
            retry_config=_RETRIES,
        )
        return Objects(store, self.location)

    @property
    def location(self) -> str:
        """The address of the place, for people."""
        server = f" at {self.endpoint_url}" if self.endpoint_url else ""
        return f"s3://{self.bucket}{server}"


class MinioPlace(S3Place):
    """A service whose things are on a MinIO server."""

    service_name: str = "minio"
    bucket: Bucket = "runnable"
    endpoint_url: Endpoint = "http://localhost:9002"
    aws_access_key_id: SecretStr | None = SecretStr(_MINIO_KEY)
    aws_secret_access_key: SecretStr | None = SecretStr(_MINIO_KEY)
