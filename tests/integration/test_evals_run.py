"""The command that asks a model: with one that is a script and right, and with one that knows nothing."""

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


@pytest.mark.parametrize("channels", ["both", "text"])
def test_a_model_that_does_what_each_question_needs_is_right_in_either_channel(channels: str) -> None:
    done = run("--model", "scripted", "--channels", channels)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("40 of 40 right, 42 calls, ")
    assert "WRONG" not in done.stdout


def test_a_model_that_knows_nothing_is_told_wrong_with_the_right_answers() -> None:
    done = run("--model", "test")

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("0 of 40 right, ")
    assert "(61676555)" in done.stdout
