"""The numbers of threads that tuning tries."""

from __future__ import annotations

import pytest

from tfgraft.choice.tune import thread_counts


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_powers_of_two_and_all_cores(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts
