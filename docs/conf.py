"""How the documentation is built."""

# Now, as a program would: autodoc imports with `TYPE_CHECKING` set, which what
# dependency-injector looks for, such as FastAPI, does not survive.
import sys
from pathlib import Path

import pydantic

import runnable

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import generated  # noqa: E402 - of this folder

project = "runnable"
author = "the authors of runnable"
copyright = "the authors of runnable"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "runnable"
exclude_patterns = ["_build", "examples/**/README.md", "changes"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "exclude-members": "model_config, model_post_init",
}
default_role = "code"
# Types of other libraries, and our private ones, have no page here.
nitpick_ignore_regex = [("py:(class|obj)", ".*")]


def _build_models(kind: type[pydantic.BaseModel]) -> None:
    """Build models now: autodoc changes the annotations of those that are not built."""
    for model in kind.__subclasses__():
        model.model_rebuild()
        _build_models(model)


for name in runnable.__all__:
    getattr(runnable, name)
_build_models(pydantic.BaseModel)
generated.write(HERE / "reference" / "generated")
