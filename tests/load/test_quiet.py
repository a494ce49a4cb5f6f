"""Quiet helpers: what they hide, and that all is as before afterwards."""

from __future__ import annotations

import logging
import os
import warnings

import pytest

from tfgraft.quiet import quiet_python, quiet_stderr


def test_python_loggers_and_warnings_are_quiet_for_a_while() -> None:
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with quiet_python():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
        warnings.warn("not seen", stacklevel=1)
    assert logger.level == level
    with pytest.warns(UserWarning, match="seen"):
        warnings.warn("seen", stacklevel=1)


def test_standard_error_is_given_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with quiet_stderr():
            os.write(2, b"hidden")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"
