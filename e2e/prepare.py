"""Makes a service ready to start: `python -m e2e.prepare`, in its folder and its environment.

Applies the migrations and stores the key of the other service. Production does it with `manage.py
migrate` and `manage.py provision_api_key`; here one process does both, since each takes a second to
load. It also makes the accounts that the launcher gives a secret for: USER_TOKEN (a user of the
producer) and ADMIN_PASSWORD (a new admin).
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.apps import apps  # noqa: E402  # needs the settings
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from e2e.environment import ADMIN, ADMIN_MADE, USER  # noqa: E402


def make_user(token: str) -> None:
    """A user who holds `token`, replacing the one held before; no password opens the account."""
    users = get_user_model()._default_manager
    user = users.filter(username=USER).first()
    if user is None:
        user = users.create_user(username=USER, email=f"{USER}@example.com")
    tokens = apps.get_model("authtoken", "Token").objects
    if not tokens.filter(user=user, key=token).exists():
        tokens.filter(user=user).delete()
        tokens.create(user=user, key=token)


def make_admin(password: str) -> None:
    """A superuser with this password, unless there is one of the name."""
    users = get_user_model()._default_manager
    if not users.filter(username=ADMIN).exists():
        users.create_superuser(username=ADMIN, email=f"{ADMIN}@example.com", password=password)
        print(ADMIN_MADE, flush=True)


def main() -> None:
    call_command("migrate", verbosity=0)
    call_command("provision_api_key")
    if apps.is_installed("rest_framework.authtoken"):
        make_user(os.environ["USER_TOKEN"])
    if password := os.environ.get("ADMIN_PASSWORD"):
        make_admin(password)


main()
