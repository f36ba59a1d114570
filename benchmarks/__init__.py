"""Measurements of this server: start, calls, HTTP and tokens, each beside a reference in the same run.

Run `uv run --group bench python -m benchmarks` for all of them, `… benchmarks NAME` for one. They are not tests: times
on a shared machine prove little, ratios of alternating runs more. `tests/unit/test_budgets.py` covers what is counted.
"""
