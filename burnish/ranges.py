"""What a policy was trained for, as ranges of numbers by name, and what lies outside of them."""

from __future__ import annotations

from collections.abc import Mapping

from burnish.contract import ENVIRONMENT_STATE, Contract

Ranges = Mapping[str, tuple[float, float]]


def told(contract: Contract) -> dict[str, tuple[float, float]]:
    """The bounds of what a policy is told besides its own state: nothing else was asked of it while it learned."""
    field = contract.observation.get(ENVIRONMENT_STATE)
    if field is None or field.low is None or field.high is None:
        return {}
    return {name: (low, high) for name, low, high in zip(field.names, field.low, field.high, strict=True)}


def outside(known: Mapping[str, float | None], trained: Ranges, units: Mapping[str, str]) -> str:
    """Which of the `known` numbers lie outside what was `trained`, and by how much; "" where none does."""
    found = []
    for name, value in known.items():
        if value is None or name not in trained:
            continue
        low, high = trained[name]
        if not low <= value <= high:
            bound = low if value < low else high
            unit = "" if units[name] == "1" else f" {units[name]}"
            by = f"{abs(value - bound):.3g}{unit} {'below' if value < low else 'above'}"
            found.append(f"{name} is {value:g}{unit}, {by} the range {low:g} … {high:g}{unit}")
    return "; ".join(found)
