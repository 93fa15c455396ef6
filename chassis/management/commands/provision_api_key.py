"""`manage.py provision_api_key`: let the other service in with the environment's key."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from rest_framework_api_key.models import APIKey

from chassis import keys
from chassis.commands import Command as BaseCommand


class Command(BaseCommand):
    help = (
        "Accept SERVICE_API_KEY, the key that the other service calls this one with; only its hash "
        "is kept. Run it before each start: a key that is known already is left as it is. After a "
        "new one was set, the old one stays good until it is revoked in the admin: no gap."
    )
    examples = ("",)

    def handle(self, *args: Any, **options: Any) -> None:
        key = settings.SERVICE_API_KEY
        prefix, dot, secret = key.partition(".")
        if not dot or len(prefix) > keys.PREFIX or len(secret) < 16:
            raise CommandError(
                "SERVICE_API_KEY must be 8 and 32 random characters with a dot between. For some: "
                "python3 -c 'import secrets as s; print(s.token_hex(4) + \".\" + s.token_hex(16))'"
            )
        row, is_new = APIKey.objects.get_or_create(
            prefix=prefix, defaults={**keys.hashed(key), "name": "other service"}
        )
        if not is_new and not keys.usable(row, key):
            raise CommandError(
                f"The key {prefix}.… is revoked, expired, or another one has this prefix: "
                "set a new SERVICE_API_KEY."
            )
        self.stdout.write(
            f"Service key {prefix}.… " + ("accepted." if is_new else "is known already.")
        )
