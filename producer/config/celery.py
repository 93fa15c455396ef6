"""The producer's Celery app; `celery -A config` finds it here."""

import os

from chassis.worker import make_app

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = make_app("producer")
