"""Names that users and other programs rely on: variables, words, places."""

from typing import TYPE_CHECKING

from runnable.earlier_names import earlier_name

RUNNABLE_CONFIGURATION_FILE = "RUNNABLE_CONFIGURATION_FILE"
RUNNABLE_PARAMETERS_FILE = "RUNNABLE_PARAMETERS_FILE"
RUNNABLE_RUN_TAG = "RUNNABLE_RUN_TAG"
PARAMETER_PREFIX = "RUNNABLE_PRM_"
PACKED_PARAMETERS = "RUNNABLE_PACKED_PARAMETERS_"
"""With a number from 0: parts of the parameters that a run starts with, for a process
that an executor has started."""
VARIABLE_PREFIX = "RUNNABLE_VAR_"
ENV_RUN_ID = "RUNNABLE_RUN_ID"
SERVICE_OPTIONS = "RUNNABLE_SERVICE_OPTIONS"
"""Options by kind of service, as JSON, that replace those of the configuration: where
the stores are on the machine of a step that an executor has started."""
RETRY_RUN_ID = "RUNNABLE_RETRY_RUN_ID"
RETRY_INDICATOR = "RUNNABLE_RETRY_INDICATOR"
MUST_BE_NEW = "error_on_existing_run_id"
"""Set for the process that begins a run: there must be none of its id."""
CODE_IDS = {
    "docker": "RUNNABLE_CODE_ID_DOCKER_IMAGE_DIGEST",
    "argo": "RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID",
}
"""Variables by which whatever starts a container identifies it."""
ATTEMPT_NUMBER = "RUNNABLE_STEP_ATTEMPT"
CALLER_DIRECTORY = "RUNNABLE_CALLER_DIRECTORY"
"""Set for tasks that work in a directory of their own: the caller's."""

CREATED = "CREATED"
PROCESSING = "PROCESSING"
SUCCESS = "SUCCESS"
FAIL = "FAIL"
CANCELLED = "CANCELLED"

COMMAND_TYPE = "python"
TASK = "task"
COMMAND_FRIENDLY_CHARACTER = "%"
MAP_PLACEHOLDER = "map_variable_placeholder"
LOOP_PLACEHOLDER = "loop_variable_placeholder"

USER_CONFIG_FILE = "runnable-config.yaml"
LOG_LOCATION_FOLDER = ".run_log_store"
CATALOG_LOCATION_FOLDER = ".catalog"
COMPUTE_DATA_FOLDER = "."
DOTENV_FILE_LOCATION = ".env"
LOG_LEVEL = "WARNING"
LARGE_FILE_THRESHOLD_BYTES = 1024 * 1024 * 1024
HASH_CHUNK_SIZE = 1024 * 1024


if not TYPE_CHECKING:  # a checker reports names that are not there

    def __getattr__(name: str) -> object:
        return earlier_name(__name__, name)


HOOK_KEYS = ("on_failure", "on_success", "on_step")
"""Keys of hooks in pipelines and configurations."""
