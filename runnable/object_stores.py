"""Buckets of S3 and of servers that speak its protocol.

An object appears whole or not at all, and `create` is refused where there is one: this
is what catalogs and run log stores build on.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from obstore.exceptions import BaseError
from obstore.store import S3Store
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
)

if TYPE_CHECKING:  # they are types only, says obstore
    from obstore.store import ClientConfig, S3Config

ObjectStoreError = BaseError
"""What goes wrong in an object store, if nothing more is known of it."""

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
    aws_access_key_id: SecretStr | None = None
    aws_secret_access_key: SecretStr | None = None

    _bucket: S3Store | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Go on to what else the service is; pydantic's own would not."""
        super().model_post_init(context)

    def __getstate__(self) -> dict[Any, Any]:
        # Connections belong to this process.
        state = super().__getstate__()
        own = {**(state["__pydantic_private__"] or {}), "_bucket": None}
        return {**state, "__pydantic_private__": own}

    @property
    def objects(self) -> S3Store:
        """The bucket, or the folder in it."""
        if self._bucket is None:
            # Two threads may both open it: either will do.
            self._bucket = self._open()
        return self._bucket

    def _open(self) -> S3Store:
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
        return S3Store(
            bucket, prefix=folder or None, config=config, client_options=options
        )

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
