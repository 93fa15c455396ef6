from django.apps import AppConfig
from django.conf import settings


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import signals, targets  # noqa: F401  # signals: connects the receiver

        # A wrong one stops the start, no request.
        for origin in (settings.PRODUCER_URL, *settings.WEBHOOK_ALLOWED_ORIGINS):
            targets.origin_of(origin)
