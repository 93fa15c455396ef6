"""`make up`: both services in the foreground, with what they store kept in `var/`.

Ports 7000 and 8000, or PRODUCER_PORT and CONSUMER_PORT; SQLite and the embedded broker, or
PRODUCER_DATABASE_URL, CONSUMER_DATABASE_URL and BROKER_URL.
"""

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e import ending, environment, ports
from e2e.client import ORDER
from e2e.ending import CannotStart, say
from e2e.environment import ADMIN, ROOT, SERVICES
from e2e.stack import Stack

VAR = ROOT / "var"
PORTS = {"PRODUCER_PORT": 7000, "CONSUMER_PORT": 8000}


def up(ended: threading.Event) -> int:
    VAR.mkdir(exist_ok=True)
    password = secrets.token_urlsafe(12)
    with alone(VAR / "up.lock"):
        listen = chosen_port("PRODUCER_PORT"), chosen_port("CONSUMER_PORT")
        say("Starting both services …")
        with Stack(
            producer_database=os.environ.get("PRODUCER_DATABASE_URL", ""),
            consumer_database=os.environ.get("CONSUMER_DATABASE_URL", ""),
            broker=os.environ.get("BROKER_URL", ""),
            folder=VAR,
            secret=kept_secrets(VAR / "secrets.json"),
            listen=listen,
            admin_password=password,
            ended=ended,
        ) as stack:
            print(welcome(stack, password), flush=True)
            ended.wait()
            say("\nStopping …")
    say("Every process has ended. What was stored is kept in var/.")
    return 0


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Two at once would empty each other's broker. The lock ends with the process in any case."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                "`make up` runs already from this folder: stop it with Ctrl-C first."
            ) from None
        yield


def chosen_port(variable: str) -> int:
    """The port to listen on. Raises CannotStart where it is taken."""
    text = os.environ.get(variable) or str(PORTS[variable])
    if not (text.isdigit() and 0 < int(text) < 65536):
        raise CannotStart(f"{variable}={text} is not a port: give a number from 1 to 65535.")
    if not ports.is_free(int(text)):
        raise CannotStart(
            f"Port {text} is taken: stop the program that listens on it, or choose another port, "
            f"as in `make up {variable}={int(text) % 65535 + 1}`."
        )
    return int(text)


def kept_secrets(path: Path) -> dict[str, str]:
    """The secrets of this checkout, made at the first start; nobody else may read the file."""
    if not path.exists():
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(environment.make_secrets(), file, indent=2)
        part.rename(path)
    try:
        return environment.make_secrets() | json.loads(path.read_text())
    except ValueError:
        raise CannotStart(f"{path} can't be read: remove it, and new secrets are made.") from None


def welcome(stack: Stack, password: str) -> str:
    """What a newcomer needs next."""
    token = f"Authorization: Token {stack.secret['user_token']}"
    orders = f"{stack.at.producer}/api/v1/data/orders/"
    return f"""
Producer  {stack.at.producer}   admin {stack.at.producer}/admin/
Consumer  {stack.at.consumer}   admin {stack.at.consumer}/admin/
Key of the consumer's API: Authorization: Api-Key {stack.secret["consumer_api_key"]}

{admin_logins(stack, password)}

Post an order:
curl -X POST {orders} -H "{token}" -H "Content-Type: application/json" -d '{json.dumps(ORDER)}'

See what became of it:
curl {orders} -H "{token}"

Logs are in {stack.logs}. Ctrl-C stops everything.
"""


def admin_logins(stack: Stack, password: str) -> str:
    made = [service for service in SERVICES if service in stack.admins_made]
    there = [service for service in SERVICES if service not in made]
    lines = []
    if made:
        names = " and ".join(made)
        lines.append(f"Admin login ({names}), shown this once: {ADMIN} / {password}")
    if there:
        names = " and ".join(there)
        lines.append(f"Admin login ({names}): {ADMIN}, as made before. For a new password:")
        lines += [f"  {change_password(service)}" for service in there]
    return "\n".join(lines)


def change_password(service: str) -> str:
    """A command that works when pasted. DEBUG spares it the secrets, which it does not use."""
    given = f"{service.upper()}_DATABASE_URL"
    database = f' DATABASE_URL="${given}"' if os.environ.get(given) else ""
    return f"DEBUG=1{database} .venv/bin/python {service}/manage.py changepassword {ADMIN}"


if __name__ == "__main__":
    ending.run(up)
