"""Stopping on request."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from salience.stopping import Terminated, heed_sigterm, patience, uninterrupted


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_raises_what_ctrl_c_raises() -> None:
    heed_sigterm()
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(signal.SIGTERM)
    assert isinstance(caught.value, Terminated)


def test_a_handler_of_somebody_else_stays() -> None:
    def own(number: int, frame: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    heed_sigterm()
    with patience():
        assert signal.getsignal(signal.SIGTERM) is own


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_the_first_request_waits_and_the_second_does_not(number: signal.Signals, kind: type) -> None:
    heed_sigterm()
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with patience() as stop_if_asked:
        stop_if_asked()
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt) as caught:
            stop_if_asked()
        assert type(caught.value) is kind
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_sigterm_stops_where_ctrl_c_is_ignored() -> None:
    """A job that a shell puts in the background ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heed_sigterm()
    with patience() as stop_if_asked:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated):
            stop_if_asked()


def test_nothing_interrupts_what_must_be_finished() -> None:
    heed_sigterm()
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
