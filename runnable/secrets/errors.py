"""Errors of secrets."""

from runnable.errors import RunError


class SecretNotFoundError(RunError):
    """A secret that a task declares does not exist where secrets come from."""

    def __init__(self, secret_name: str, secret_setting: str = "") -> None:
        super().__init__(secret_name, secret_setting)
        self.secret_name = secret_name
        self.secret_setting = secret_setting

    def __str__(self) -> str:
        return f"There is no secret {self.secret_name!r} in {self.secret_setting}"
