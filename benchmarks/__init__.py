"""What this server costs, measured: time, memory and tokens, each next to a reference in the same run.

`uv run --group bench python -m benchmarks` runs all of it in a few minutes, `… benchmarks NAME` one part. Nothing here
is a test: figures of a shared machine prove nothing, ratios of interleaved runs do. What can be counted instead of
timed is held by `tests/test_budgets.py`.
"""
