"""RabbitMQ and PostgreSQL: stopped, killed, frozen, emptied, locked."""

import signal

from e2e.faults.rows import PRIVATE, row
from e2e.faults.servers import Rabbit
from e2e.faults.stage import Stage


def rabbit(stage: Stage) -> Rabbit:
    assert stage.rabbit is not None
    return stage.rabbit


@row("rabbitmq-purged")
def purged(stage: Stage) -> None:
    """Every queue purged, a hundred times while orders flow."""
    for _ in range(100):
        stage.stack.purge()
        stage.pause(0.1)


@row("results-locked-10s")
def results_locked(stage: Stage) -> None:
    """A lock held on the consumer's results for 10 s."""
    with stage.consumer.connected() as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE django_celery_results_taskresult IN ACCESS EXCLUSIVE MODE")
        stage.pause(10)


@row("orders-locked-10s")
def orders_locked(stage: Stage) -> None:
    """A lock held on the producer's orders for 10 s: 503, and accepted afterwards."""
    with stage.producer.connected() as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orders_order IN ACCESS EXCLUSIVE MODE")
        stage.pause(10)


@row("rabbitmq-stopped-20s", stand=PRIVATE)
def rabbitmq_stopped(stage: Stage) -> None:
    """RabbitMQ stopped, and started after 20 s."""
    rabbit(stage).stop()
    stage.pause(20)
    rabbit(stage).start()


@row("rabbitmq-killed", stand=PRIVATE)
def rabbitmq_killed(stage: Stage) -> None:
    """kill -9 of RabbitMQ, twice."""
    for _ in range(2):
        rabbit(stage).kill()
        rabbit(stage).start()
        stage.pause(3)


@row("rabbitmq-frozen-15s", stand=PRIVATE)
def rabbitmq_frozen(stage: Stage) -> None:
    """RabbitMQ accepts, and says nothing more: SIGSTOP for 15 s."""
    rabbit(stage).signal(signal.SIGSTOP)
    stage.pause(15)
    rabbit(stage).signal(signal.SIGCONT)


@row("rabbitmq-data-deleted", stand=PRIVATE)
def rabbitmq_lost(stage: Stage) -> None:
    """RabbitMQ killed, its data deleted, and started empty."""
    rabbit(stage).kill()
    rabbit(stage).lose_everything()
    rabbit(stage).start()


@row("postgres-restarted", stand=PRIVATE)
def postgres_restarted(stage: Stage) -> None:
    """Both PostgreSQL servers restarted, twice."""
    for _ in range(2):
        for server in stage.servers.values():
            server.stop()
            server.start()
        stage.pause(2)


@row("postgres-stopped-10s", stand=PRIVATE)
def postgres_stopped(stage: Stage) -> None:
    """Both PostgreSQL servers stopped for 10 s."""
    for server in stage.servers.values():
        server.stop()
    stage.pause(10)
    for server in stage.servers.values():
        server.start()


@row("postgres-of-consumer-stopped-20s", stand=PRIVATE)
def postgres_of_consumer_stopped(stage: Stage) -> None:
    """The consumer's PostgreSQL stopped for 20 s; the producer accepts as ever."""
    stage.servers["consumer"].stop()
    stage.pause(20)
    stage.servers["consumer"].start()


@row("postgres-killed", stand=PRIVATE)
def postgres_killed(stage: Stage) -> None:
    """kill -9 of both PostgreSQL servers, twice: what was committed is there, the rest is not."""
    for _ in range(2):
        for server in stage.servers.values():
            server.kill()
            server.start()
        stage.pause(2)


@row("postgres-frozen-15s", stand=PRIVATE)
def postgres_frozen(stage: Stage) -> None:
    """The consumer's PostgreSQL takes connections and says nothing: SIGSTOP for 15 s."""
    stage.servers["consumer"].signal(signal.SIGSTOP)
    stage.pause(15)
    stage.servers["consumer"].signal(signal.SIGCONT)
