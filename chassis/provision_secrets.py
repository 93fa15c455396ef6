"""The secrets of a stack of containers: `python3 chassis/provision_secrets.py FOLDER`.

It makes those that are missing; what is there stays as it is. With `--check` it makes nothing and
names what is missing, which is what production wants at each start. A container's sub-folder holds
what that container may know, and is all that it is shown.
"""

import base64
import os
import secrets
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote, urlsplit

LETTERS = string.ascii_letters + string.digits
NONE: Mapping[str, str] = MappingProxyType({})


def _letters(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def _api_key() -> str:
    return f"{_letters(8)}.{_letters(32)}"  # as djangorestframework-api-key makes them


def _signing_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def complete(given: Mapping[str, str] = NONE) -> dict[str, str]:
    """A whole set of secrets, by their file's path: those given, and new ones for the rest.

    A secret that containers share is in a file of each: what one of them has, the others get.
    """

    def shared(new: str, *names: str) -> str:
        values = (given[name] for name in names if name in given)
        value = next(values, new)
        return unquote(urlsplit(value).password or new) if "://" in value else value

    broker_password = shared(
        _letters(32), "rabbitmq/password", "producer/broker_url", "consumer/broker_url"
    )
    signing = shared(
        _signing_secret(), "producer/webhook_signing_secrets", "consumer/webhook_signing_secrets"
    )
    made = {"rabbitmq/password": broker_password}
    for service, peer in (("producer", "consumer"), ("consumer", "producer")):
        key = shared(_api_key(), f"{service}/service_api_key", f"{peer}/{service}_api_key")
        password = shared(_letters(32), f"{service}-db/password", f"{service}/database_url")
        database = f"{service}:{quote(password, safe='')}@{service}-db/{service}"
        made |= {
            f"{service}-db/password": password,
            f"{service}/database_url": f"postgres://{database}",
            f"{service}/broker_url": f"amqp://shop:{quote(broker_password, safe='')}@rabbitmq/",
            f"{service}/secret_key": _letters(64),
            f"{service}/service_api_key": key,
            f"{peer}/{service}_api_key": key,
            f"{service}/webhook_signing_secrets": signing,
            f"{service}/metrics_token": _letters(64),
        }
    return {**made, **given}


def read(folder: Path) -> dict[str, str]:
    """The secrets that are there and not empty."""
    paths = {name: folder / name for name in complete()}
    found = {name: path.read_text().strip() for name, path in paths.items() if path.is_file()}
    return {name: value for name, value in found.items() if value}


def missing(folder: Path) -> list[str]:
    """The files that are not there, or are empty."""
    found = read(folder)
    return [str(folder / name) for name in complete() if name not in found]


def provide(folder: Path) -> bool:
    """Make the secrets that are missing; False where none was."""
    given = read(folder)
    made = {name: value for name, value in complete(given).items() if name not in given}
    # Containers read the files as several users, so everybody may. A container that is shown a
    # sub-folder does not pass by this folder; the other users of the machine do, and may not.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)  # an empty one may be read-only
        path.write_text(value)
        path.chmod(0o444)
    return bool(made)


def main(folder: str, check: str = "") -> None:
    if check == "--check":
        if lacking := missing(Path(folder)):
            raise SystemExit(f"These secrets are missing or empty: {' '.join(lacking)}")
        print("All secrets are there.")
    else:
        print("Secrets made." if provide(Path(folder)) else "Secrets are there already.")
    sys.stdout.flush()


if __name__ == "__main__":
    os.umask(0o022)
    main(*sys.argv[1:])
