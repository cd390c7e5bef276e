"""The notebook of 2020, redone: it can be executed, and it is what it says."""

import re
from pathlib import Path

import pytest

from helpers.libraries import library

NOTEBOOK = Path(__file__).parents[2] / "examples" / "reducing_variance.ipynb"
DEV = "pip install -r requirements-dev.txt"


@pytest.fixture
def notebook():
    return library("nbformat", install=DEV).read(NOTEBOOK, as_version=4)


def source(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.filterwarnings("ignore")  # those of Jupyter
def test_it_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    """With two runs of one epoch instead of five of eight."""
    nbclient = library("nbclient", install=DEV)
    library("ipykernel", install=DEV)
    monkeypatch.setenv("SEEDWISE_CACHE", str(tmp_path))
    for cell in notebook.cells:
        cell.source = cell.source.replace("10 if FULL else 5", "2").replace("epochs=8", "epochs=1")
    assert "RUNS = 2" in source(notebook)
    assert "epochs=1" in source(notebook)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    text = str([cell.get("outputs") for cell in notebook.cells])
    assert len(re.findall(r"\(2 runs\)", text)) == 3
    assert "<caption>relu - mish</caption>" in text


def test_it_comes_with_the_outputs_of_a_whole_run(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert "(5 runs)" in str(outputs)


def test_it_shows_no_picture_of_imagenette(notebook):
    assert "FULL = False" in source(notebook)
    assert "None if FULL else picture" in source(notebook)
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]
    assert len(pictures) == 1
    assert NOTEBOOK.stat().st_size < 100_000
