"""Which traces are recorded: a share of them, by a number that we draw.

Not by the trace id, as OpenTelemetry's own sampler has it: callers may choose that one, and so could have all of theirs
recorded, or none.
"""

import random
from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes


class DrawnRatio(Sampler):
    """Records a trace when the number that is drawn for it (`draw`, in [0, 1)) is below `ratio` (0 to 1)."""

    def __init__(self, ratio: float, *, draw: Callable[[], float] = random.random) -> None:
        self._ratio = ratio
        self._draw = draw

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about the first span of ours in a trace."""
        is_recorded = self._draw() < self._ratio
        decision = Decision.RECORD_AND_SAMPLE if is_recorded else Decision.DROP
        callers = get_current_span(parent_context).get_span_context().trace_state
        return SamplingResult(decision, attributes if is_recorded else None, callers)

    def get_description(self) -> str:
        """Name it as samplers are named."""
        return f"DrawnRatio{{{self._ratio}}}"
