"""What a row of the matrix is, and the list of them all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.faults.stage import Stage

# What a row's system stands on.
SHARED = "shared"  # the PostgreSQL and RabbitMQ that DATABASE_URL and BROKER_URL name
PRIVATE = "private"  # servers of its own, which may be killed: a PostgreSQL a service, a RabbitMQ
CLOCKS = "clocks"  # the same, with the consumer's processes and database on clocks that can be set
EMBEDDED = "embedded"  # SQLite and the embedded broker

Act = Callable[["Stage"], None]


@dataclass(frozen=True)
class Row:
    """One fault. `act` does it while orders flow, and returns when it is over."""

    name: str
    act: Act
    stand: str = SHARED
    bound: float = 60.0  # seconds after its end until every order is confirmed
    cancelled: int = 0  # orders that are to end so
    amnesia: bool = False  # the consumer loses data: an order may have had an earlier task
    fresh: bool = False  # leaves a system behind that no other row should start from

    @property
    def about(self) -> str:
        return " ".join((self.act.__doc__ or "").split())


ROWS: dict[str, Row] = {}


def row(name: str, **options: object) -> Callable[[Act], Act]:
    """Add a row; several may share a function's way of doing things by `partial`."""

    def add(act: Act) -> Act:
        ROWS[name] = Row(name, act, **options)  # type: ignore[arg-type]
        return act

    return add
