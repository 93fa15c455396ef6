from django.apps import AppConfig
from django.conf import settings


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import signals, targets  # noqa: F401  # signals: connects the receiver

        for origin in settings.WEBHOOK_ALLOWED_ORIGINS:  # a wrong one stops the start, no request
            targets.origin_of(origin)
