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


class SecretValueError(RunError):
    """A value with a secret in it would have to be recorded for another process."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(what, name)
        self.what = what
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.what} {self.name!r} with a secret in it. Such a value is recorded "
            "as ***, and the steps of this run are in processes of their own, which "
            "would get that. Let each step that needs the secret declare it "
            "(secrets=[...]), or return an object that is not displayed (pickled)"
        )
