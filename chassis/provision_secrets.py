"""The secrets of a stack of containers: `python3 chassis/provision_secrets.py FOLDER`.

It makes them once; what is there stays as it is. With `--check` it makes nothing and names what is
missing, which is what production wants at each start. A container's sub-folder holds what that
container may know, and is all that it is shown.
"""

import base64
import os
import secrets
import string
import sys
from pathlib import Path

LETTERS = string.ascii_letters + string.digits


def _letters(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def _api_key() -> str:
    return f"{_letters(8)}.{_letters(32)}"  # as djangorestframework-api-key makes them


def make() -> dict[str, str]:
    """New secrets, by their file's path below the folder. The services' halves fit together."""
    producer_key, consumer_key = _api_key(), _api_key()
    signing = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    broker_password = _letters(32)
    made = {"rabbitmq/password": broker_password}
    for service, own_key, peer, peer_key in (
        ("producer", producer_key, "consumer", consumer_key),
        ("consumer", consumer_key, "producer", producer_key),
    ):
        password = _letters(32)
        made |= {
            f"{service}-db/password": password,
            f"{service}/database_url": f"postgres://{service}:{password}@{service}-db/{service}",
            f"{service}/broker_url": f"amqp://shop:{broker_password}@rabbitmq/",
            f"{service}/secret_key": _letters(64),
            f"{service}/service_api_key": own_key,
            f"{service}/{peer}_api_key": peer_key,
            f"{service}/webhook_signing_secrets": signing,
        }
    return made


def missing(folder: Path) -> list[str]:
    """The files that are not there, or are empty, in the order of their making."""
    paths = [folder / name for name in make()]
    return [str(path) for path in paths if not path.is_file() or not path.read_text().strip()]


def provide(folder: Path) -> bool:
    """Make all secrets unless they are there; False where they were.

    They fit together, so that the rest of a set can't be made anew: where a part of them is there,
    raises SystemExit that names the others.
    """
    made = make()
    lacking = missing(folder)
    if not lacking:
        return False
    if len(lacking) < len(made):
        raise SystemExit(
            f"Some secrets are there, and these are missing or empty: {' '.join(lacking)}. "
            "Put them back, or begin again with none."
        )
    # Containers read the files as several users, so everybody may. A container that is shown a
    # sub-folder does not pass by this folder; the other users of the machine do, and may not.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(value)
        path.chmod(0o444)
    return True


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
