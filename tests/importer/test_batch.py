"""The batch is found again after every reshape that a Vision Transformer makes."""

import pytest

from intvit.importer.batch import Batch, landing


@pytest.mark.parametrize(
    ("before", "batch", "after", "expected"),
    [
        ([1, 192, 14, 14], Batch(0), [1, 192, 196], Batch(0)),
        ([1, 17, 72], Batch(0), [1, 17, 3, 3, 8], Batch(0)),
        ([3, 1, 17, 24], Batch(1), [3, 1, 17, 3, 8], Batch(1)),
        ([1, 1, 24], Batch(0), [1, 24], Batch(0)),
        ([1, 3, 17, 8], Batch(0), [3, 17, 8], Batch(0, inner=3)),
        ([3, 17, 8], Batch(0, inner=3), [1, 3, 17, 8], Batch(0)),
        ([17, 1, 24], Batch(1), [17, 3, 8], Batch(1, inner=3)),
        ([17, 3, 8], Batch(1, inner=3), [17, 24], Batch(0, outer=17)),
        ([17, 24], Batch(0, outer=17), [17, 1, 24], Batch(1)),
        ([1, 17, 24], Batch(0), [17, 24], Batch(0, inner=17)),
        ([17, 24], Batch(0, inner=17), [1, 17, 24], Batch(0)),
        ([1, 24], Batch(0), [24], Batch(0, inner=24)),
        ([6, 4], Batch(0, outer=2, inner=3), [2, 3, 4], Batch(1, inner=3)),
        ([4, 6], Batch(0, outer=2, inner=2), [3, 8], None),
    ],
)
def test_landing(before: list[int], batch: Batch, after: list[int], expected: Batch | None) -> None:
    assert landing(before, batch, after) == expected


def test_label() -> None:
    assert [Batch(0).label, Batch(1, outer=17).label, Batch(0, 2, 3).label] == ["N", "17*N", "6*N"]
