"""Options of the engine litert, and what it says where it is not installed."""

from __future__ import annotations

import sys

import pytest

from tfgraft.plugins.litert.builder import LiteRtBuilder
from tfgraft.plugins.litert.options import LiteRtOptions
from tfgraft.registry.support import Unsupported


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intra_op_threads": -1}, "intra_op_threads is a whole number, 0 or more, not -1"),
        ({"intra_op_threads": False}, "intra_op_threads is a whole number, 0 or more, not False"),
        ({"maximum_interpreters": 0}, "maximum_interpreters is a whole number, 1 or more, not 0"),
        ({"timeout": 0}, "timeout is a number of seconds above 0, or None, not 0"),
        ({"timeout": "long"}, "timeout is a number of seconds above 0, or None, not 'long'"),
        (
            {"threads": 2},
            "engine litert has no option 'threads'; it has intra_op_threads, maximum_interpreters, timeout",
        ),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LiteRtBuilder().check_options(options)


def test_options_survive_being_stored() -> None:
    options = LiteRtOptions.of({"intra_op_threads": 3, "maximum_interpreters": 2, "timeout": None})
    assert LiteRtOptions.of(options.to_dict()) == options
    assert options.threads == 3
    assert LiteRtOptions().threads >= 1


def test_without_litert_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    support = LiteRtBuilder().available()
    assert isinstance(support, Unsupported)
    assert (support.code, support.culprit) == ("no-engine", "ai_edge_litert")
    assert "tfgraft[cpu,litert]" in support.hint
