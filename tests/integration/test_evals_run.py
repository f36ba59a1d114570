"""The command that asks a model: with a script that answers correctly, and with one that answers nothing."""

from __future__ import annotations

import subprocess

import pytest

from kit.built import ROOT, uv_environment, uv_program

pytestmark = pytest.mark.builds


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [uv_program(), "run", "evals/run.py", *arguments],
        cwd=ROOT, env=uv_environment(), capture_output=True, encoding="utf-8", check=False, timeout=300,
    )  # fmt: skip


def test_a_scripted_model_is_right_in_text_and_one_without_knowledge_is_wrong() -> None:
    scripted, ignorant = run("--model", "scripted", "--channels", "text"), run("--model", "test")

    assert scripted.returncode == 0, scripted.stdout + scripted.stderr
    assert scripted.stdout.splitlines()[-1].startswith("40 of 40 right, 42 calls, ")
    assert ignorant.returncode == 1
    assert "(61676555)" in ignorant.stdout
