"""What a server has done, as Prometheus reads it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from burnish import __version__

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper ends of the histogram of inference times, s."""
REFUSALS = ("message", "size", "token")
"""Why something was refused: what a message says, how large it is, who sends it."""


@dataclass
class Metrics:
    """Counters since the start.

    Attributes:
        clients: connected now.
        requests: messages that came.
        errors: requests that the policy failed to answer.
        refused: requests and connections by reason.
    """

    clients: int = 0
    requests: int = 0
    errors: int = 0
    refused: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REFUSALS, 0)))
    _times: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    _total_s: float = 0.0

    def took(self, seconds: float) -> None:
        """Count one inference."""
        self._times[bisect_left(BUCKETS_S, seconds)] += 1
        self._total_s += seconds

    def text(self) -> str:
        """The exposition format, version 0.0.4."""
        lines = [
            *_metric("burnish_info", "gauge", "the server", {f'{{version="{__version__}"}}': 1}),
            *_metric("burnish_clients", "gauge", "clients connected now", {"": self.clients}),
            *_metric("burnish_requests_total", "counter", "messages that came", {"": self.requests}),
            *_metric("burnish_errors_total", "counter", "requests the policy failed to answer", {"": self.errors}),
            *_metric("burnish_refused_total", "counter", "requests and connections refused", self._refused()),
            *_metric("burnish_inference_seconds", "histogram", "time to plan one chunk", self._histogram()),
        ]
        return "\n".join(lines) + "\n"

    def _refused(self) -> dict[str, float]:
        return {f'{{reason="{reason}"}}': count for reason, count in sorted(self.refused.items())}

    def _histogram(self) -> dict[str, float]:
        rows, below = {}, 0
        for end, count in zip((*BUCKETS_S, "+Inf"), self._times, strict=True):
            below += count
            rows[f'_bucket{{le="{end}"}}'] = below
        return {**rows, "_sum": self._total_s, "_count": below}


def _metric(name: str, kind: str, text: str, values: dict[str, float]) -> list[str]:
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} {kind}",
        *(f"{name}{end} {value}" for end, value in values.items()),
    ]
