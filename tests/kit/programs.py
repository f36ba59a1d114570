"""What tests share: finding the outside programs that some of them need."""

from __future__ import annotations

import os
import shutil

import pytest


def need(*programs: str) -> str:
    """Path of the first of `programs` that is installed; without any the test is left out, in CI it fails."""
    for program in programs:
        found = shutil.which(program)
        if found:
            return found
    missing = f"needs {' or '.join(programs)}, which is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
