"""`main`: runs one command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

from tfgraft.cli.codes import FAILED, INTERRUPTED
from tfgraft.cli.commands import COMMANDS, WITHOUT_TENSORFLOW
from tfgraft.cli.parser import make_parser
from tfgraft.cli.terminal import Terminal
from tfgraft.errors import TfGraftError
from tfgraft.quiet import quiet_python, quiet_stderr

_LONGEST = 300


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tfgraft` with the arguments `argv` (default: the process's) and return the exit code."""
    try:
        args = make_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else FAILED
    terminal = Terminal(args.json, args.quiet)
    if not args.debug:
        # Read by TensorFlow's C++ side when it is first imported, so this is the only place where it helps.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    interrupts: list[int] = []
    try:
        # Libraries that print must not spoil the result on standard output.
        with contextlib.redirect_stdout(sys.stderr), _quiet(args.debug), _noted(interrupts):
            if not args.debug and args.command not in WITHOUT_TENSORFLOW:
                _import_tensorflow()
            return COMMANDS[args.command](args, terminal)
    except KeyboardInterrupt:
        return _interrupted(terminal)
    except BrokenPipeError:
        # The reader of our output has gone (`tfgraft plan ... | head`): there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        if interrupts:  # within TensorFlow, which made an error of its own of it
            return _interrupted(terminal)
        _tell(terminal, error)
        return FAILED
    finally:
        terminal.close()


def _import_tensorflow() -> None:
    """Import TensorFlow with standard error closed to it: while it is imported it heeds no level of logging."""
    with contextlib.suppress(ImportError), quiet_stderr():  # whoever needs it says what is missing
        importlib.import_module("tensorflow")


def _interrupted(terminal: Terminal) -> int:
    terminal.note("tfgraft: interrupted")
    return INTERRUPTED


@contextlib.contextmanager
def _noted(interrupts: list[int]) -> Iterator[None]:
    """Note interrupts besides raising KeyboardInterrupt, if that is what they do."""
    # The main thread alone may set handlers, and is interrupted.
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _tell(terminal: Terminal, error: Exception) -> None:
    kind = type(error).__name__
    if isinstance(error, TfGraftError):
        terminal.error(error.message, error.hint, kind)
    elif isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        terminal.error(f"{error.strerror or error}{where}", kind=kind)
    elif isinstance(error, ValueError) or kind == "PassError":
        terminal.error(str(error), kind=kind)
    else:
        # TensorFlow's own errors may hold whole graphs.
        line = (str(error).strip() or "no message").splitlines()[0][:_LONGEST]
        terminal.error(f"{kind}: {line}", "This should not happen; --debug shows where it did.", kind)


@contextlib.contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    if debug:
        yield
        return
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quiet_python():
            yield
    finally:
        logger.setLevel(level)
