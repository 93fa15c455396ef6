"""The table that chassis.throttle counts in; each service has its own."""

from django.db import models


class Count(models.Model):
    """How often something was done in one minute; `key` tells no reader who did it."""

    key = models.CharField(max_length=64, primary_key=True)
    minute = models.BigIntegerField()  # since 1970
    count = models.PositiveIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key[:8]}…: {self.count}"
