import itertools

from hypothesis import given
from hypothesis import strategies as st

from shared import limits
from shared.batches import batches


@given(st.lists(st.integers(0, 12), max_size=300))
def test_batches_keep_the_order_and_both_bounds_and_are_as_few_as_that_allows(sizes: list[int]) -> None:
    cut = list(batches(sizes, lambda size: size, most_bytes=10))

    assert [size for batch in cut for size in batch] == sizes
    assert all(batch for batch in cut)
    assert all(sum(batch) <= 10 or len(batch) == 1 for batch in cut)
    assert all(len(batch) <= limits.BATCH_OBJECTS for batch in cut)
    for batch, following in itertools.pairwise(cut):
        assert len(batch) == limits.BATCH_OBJECTS or sum(batch) + following[0] > 10


def test_what_is_larger_than_a_batch_comes_alone_also_before_what_has_no_size() -> None:
    assert list(batches([1, 99, 0, 0, 1], lambda size: size, most_bytes=10)) == [[1], [99], [0, 0, 1]]
