"""What the documentation shows runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from libraries import library

library("fastai.basics", install="pip install --no-deps -r requirements-nodeps.txt")
pytestmark = pytest.mark.adapters

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_the_training_with_fastai_runs_as_documented(tmp_path):
    code = re.findall(r"```python\n(.*?)```", (DOCS / "fastai.md").read_text(), re.DOTALL)[0]
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Difference(estimate=" in done.stdout
    assert (tmp_path / "digits.db").exists()
