"""Cutting what is to be done into batches, each small enough to be waited for."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from shared import limits

T = TypeVar("T")


def batches(items: Iterable[T], size_bytes: Callable[[T], int], *, most_bytes: int) -> Iterator[list[T]]:
    """Yield the items in order, in batches of at most BATCH_OBJECTS and `most_bytes`; what is larger comes alone."""
    batch, batch_bytes = list[T](), 0
    for item in items:
        item_bytes = size_bytes(item)
        if batch and (len(batch) == limits.BATCH_OBJECTS or batch_bytes + item_bytes > most_bytes):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(item)
        batch_bytes += item_bytes
    if batch:
        yield batch
