"""."""

from tests.cases.case import OpCase

CASES: list[OpCase] = []
