"""What each service is told: the same variables as in production, with secrets made here."""

import base64
import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from e2e import brokers, ports

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("producer", "consumer")
READY = "worker ready"  # what e2e.beacon has each worker say
USER, ADMIN = "launcher-demo", "admin"  # the accounts that e2e.prepare makes
ADMIN_MADE = "admin made"  # what it says when there was no admin before

# Names that the services read: what the shell happens to say of them must not leak into a stack.
OURS = """
    DEBUG SECRET_KEY SECRET_KEY_FALLBACKS ALLOWED_HOSTS HTTPS TRUSTED_PROXIES CSRF_TRUSTED_ORIGINS
    DATABASE_URL BROKER_URL TEST_BROKER_URL QUEUE_PREFIX RETENTION_DAYS LOG_LEVEL LOG_FORMAT
    WEB_WORKERS WEB_THREADS DATABASE_PATIENCE WORKER_ALIVE_FILE
    PRODUCER_URL CONSUMER_URL SERVICE_API_KEY PRODUCER_API_KEY CONSUMER_API_KEY WEBHOOK_THREADS
    WEBHOOK_SIGNING_SECRETS WEBHOOK_SIGNATURE_REQUIRED WEBHOOK_ALLOWED_ORIGINS METRICS_TOKEN
    DJANGO_SETTINGS_MODULE
"""


@dataclass(frozen=True)
class Addresses:
    """Where everything of one stack is."""

    producer: str  # origins, such as http://127.0.0.1:7000
    consumer: str
    databases: dict[str, str]  # URLs, by service
    brokers: dict[str, str]
    queue_prefix: str

    @classmethod
    def choose(
        cls,
        folder: Path,
        *,
        databases: tuple[str, str],
        broker: str,
        listen: tuple[int, int] | None,
        queue_prefix: str,
    ) -> Self:
        """Those given; for an empty URL an SQLite file or an embedded broker in the folder."""
        producer, consumer = listen or ports.free(2)
        return cls(
            producer=f"http://{ports.HOST}:{producer}",
            consumer=f"http://{ports.HOST}:{consumer}",
            databases={
                service: url or f"sqlite:///{folder / service / 'db.sqlite3'}"
                for service, url in zip(SERVICES, databases, strict=True)
            },
            brokers={
                service: broker or f"{brokers.EMBEDDED}{folder / service / 'broker'}"
                for service in SERVICES
            },
            queue_prefix=queue_prefix,
        )


def make_secrets() -> dict[str, str]:
    """New secrets: keys in the form of djangorestframework-api-key and of Standard Webhooks."""
    return {
        "producer_secret_key": secrets.token_urlsafe(50),
        "consumer_secret_key": secrets.token_urlsafe(50),
        "producer_api_key": f"{_letters(8)}.{_letters(32)}",
        "consumer_api_key": f"{_letters(8)}.{_letters(32)}",
        "webhook_secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "user_token": secrets.token_hex(20),
        "metrics_token": secrets.token_hex(32),
    }


def _letters(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def of_services(at: Addresses, secret: dict[str, str]) -> dict[str, dict[str, str]]:
    """Each service's variables, and those of this process that are not the services' own."""
    ours = {name + suffix for name in OURS.split() for suffix in ("", "_FILE")}
    shared = {name: value for name, value in os.environ.items() if name not in ours} | {
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "1",  # as in the images: else each thread keeps memory of its own
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DEBUG": "0",
        "HTTPS": "0",  # nothing here ends TLS
        "LOG_FORMAT": "console",
        "PRODUCER_URL": at.producer,
        "QUEUE_PREFIX": at.queue_prefix,
        "WEBHOOK_SIGNING_SECRETS": secret["webhook_secret"],
        "METRICS_TOKEN": secret["metrics_token"],
    }
    own = {
        "producer": {
            "CONSUMER_URL": at.consumer,
            "CONSUMER_API_KEY": secret["consumer_api_key"],
            "WEBHOOK_SIGNATURE_REQUIRED": "1",
        },
        "consumer": {
            "PRODUCER_API_KEY": secret["producer_api_key"],
            # The second is what the specification's own example names.
            "WEBHOOK_ALLOWED_ORIGINS": f"{at.producer},http://127.0.0.1:7000",
        },
    }
    for service in SERVICES:
        own[service] |= {
            "SECRET_KEY": secret[f"{service}_secret_key"],
            "SERVICE_API_KEY": secret[f"{service}_api_key"],
            "DATABASE_URL": at.databases[service],
            "BROKER_URL": at.brokers[service],
        }
    return {service: shared | own[service] for service in SERVICES}
