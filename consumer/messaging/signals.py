"""What sets a delivery off: a stored result."""

from typing import Any

from celery import states
from django.db.models.signals import post_save
from django.dispatch import receiver
from django_celery_results.models import TaskResult

from messaging import services


@receiver(post_save, sender=TaskResult, dispatch_uid="messaging.result_stored")
def result_stored(sender: Any, instance: TaskResult, raw: bool = False, **kwargs: Any) -> None:
    """Have a message's final result delivered. It runs inside the result's transaction: no HTTP, no
    raising.
    """
    if not raw and instance.status in states.READY_STATES:
        services.schedule_delivery(task=instance)
