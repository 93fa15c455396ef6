"""Clocks that disagree, or are set back: those of the consumer, by clock.c."""

from e2e.faults.rows import CLOCKS, row
from e2e.faults.stage import Stage

MINUTE, HOUR = 60, 3600


def both(stage: Stage, seconds: int) -> None:
    """Set the clocks of the consumer's processes and of its database."""
    stage.set_clock("processes", seconds)
    stage.set_clock("database", seconds)


def refused_webhooks(stage: Stage) -> int:
    return sum(401 in call.replies for call in stage.to_producer.log)


@row("clocks-4-minutes-apart", stand=CLOCKS)
def four_minutes_apart(stage: Stage) -> None:
    """The consumer's clocks 4 minutes ahead, then 4 minutes behind: all as usual."""
    for seconds in (4 * MINUTE, 0, -4 * MINUTE, 0):
        both(stage, seconds)
        stage.pause(5 if seconds else 1)
    assert not refused_webhooks(stage), "webhooks were refused"


@row("clocks-an-hour-behind", stand=CLOCKS)
def an_hour_behind(stage: Stage) -> None:
    """The consumer's clocks an hour behind for 15 s: orders wait; then they agree again."""
    both(stage, -HOUR)
    stage.pause(15)
    assert refused_webhooks(stage), "no webhook was refused"
    both(stage, 0)


@row("clocks-an-hour-ahead", stand=CLOCKS)
def an_hour_ahead(stage: Stage) -> None:
    """The consumer's clocks an hour ahead for 15 s: orders wait; then they agree again."""
    both(stage, HOUR)
    stage.pause(15)
    assert refused_webhooks(stage), "no webhook was refused"
    both(stage, 0)


@row("clock-of-processes-set-back", stand=CLOCKS)
def set_back(stage: Stage) -> None:
    """The clock of the consumer's processes set back an hour while they run; its database's not."""
    stage.set_clock("processes", -HOUR)
    stage.pause(15)
