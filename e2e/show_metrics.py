"""A service's metrics on an empty database, as /metrics shows them: `manage.py shell` runs this for
`make check`, which has promtool read them.
"""

from django.core.management import call_command
from django.test import Client, override_settings

call_command("migrate", verbosity=0)
with override_settings(DEBUG=True):
    print(Client().get("/metrics").content.decode(), end="")
