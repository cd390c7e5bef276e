"""What the documentation has to say something of, it does."""

import importlib
import pkgutil
import re
import tomllib

import pytest

import seedwise
from helpers.walkthrough import PAGES, ROOT

REFERENCE = "".join(page.read_text() for page in (ROOT / "docs" / "reference").rglob("*.md"))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]


@pytest.mark.parametrize(
    "name",
    [module.name for module in pkgutil.iter_modules(seedwise.__path__) if module.ispkg],
)
def test_every_package_with_public_names_is_in_the_reference(name):
    if name == "cli":
        assert "```{commands}" in REFERENCE
    elif hasattr(importlib.import_module(f"seedwise.{name}"), "__all__"):
        assert f"{{public-names}} seedwise.{name}" in REFERENCE


def test_every_dependency_has_its_reason():
    listed = (ROOT / "docs" / "dependencies.md").read_text()
    extras = PROJECT["optional-dependencies"].values()
    for each in (*PROJECT["dependencies"], *(one for extra in extras for one in extra)):
        package = re.split(r"[<>=\[;]", each)[0].strip()
        if package != "seedwise":
            assert re.search(rf"\b{re.escape(package)}\b", listed), package


def test_the_design_has_the_layers_that_are_held():
    (layers,) = (
        contract["layers"]
        for contract in SETTINGS["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    assert "\n".join(layers) in (ROOT / "docs" / "design.md").read_text()


def test_every_marker_is_in_the_page_for_contributors():
    page = (ROOT / "docs" / "contributing.md").read_text()
    for marker in SETTINGS["tool"]["pytest"]["ini_options"]["markers"]:
        assert f"| `{marker.partition(':')[0]}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
