"""Variables of OpenTelemetry that would end the program while the MCP SDK is imported."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

_GROUPS: Final = {
    "OTEL_PROPAGATORS": "opentelemetry_propagator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
}
"""By variable: the entry points among which its values are looked up."""


def drop_unusable(env: MutableMapping[str, str]) -> list[str]:
    """Remove variables whose value cannot be loaded; one line for each."""
    from importlib.metadata import entry_points

    lines: list[str] = []
    for variable, group in _GROUPS.items():
        names = [name.strip() for name in env.get(variable, "").split(",")] if env.get(variable) else []
        for name in names:
            if name.lower() == "none" and variable == "OTEL_PROPAGATORS":
                continue
            try:
                next(iter(entry_points(group=group, name=name))).load()()
            except Exception as fault:
                reason = "is not installed" if isinstance(fault, StopIteration) else f"cannot be loaded ({fault})"
                lines.append(f"{variable} is ignored: {name!r} {reason}. Install it, or unset the variable.")
                del env[variable]
                break
    return lines
