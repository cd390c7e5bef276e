"""How the documentation is built: `make docs`."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "seedwise"
author = "the authors of seedwise"
version = release = version_of("seedwise")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "generated",  # _ext/generated.py: what the reference takes from the code
]
smartquotes_action = "D"  # dashes only: quotes stay as they are typed
exclude_patterns = ["_build", "_ext"]
root_doc = "index"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_mock_imports = ["mlflow", "transformers", "wandb"]  # each in an extra of its own
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
add_module_names = False
default_role = "py:obj"  # a link where there is such a name, and else code

html_theme = "furo"
html_title = f"seedwise {version}"
html_static_path = ["_static"]
html_css_files = ["seedwise.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    # The stack of each system: nothing is fetched, and the pages open from disk.
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
}
copybutton_exclude = ".linenos, .gp, .go"
