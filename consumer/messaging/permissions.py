"""Who may do what with tasks."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework_api_key.models import APIKey

from messaging.models import TaskAPIKey


class ServiceKeyOrOwnTask(BasePermission):
    """A service key opens all; a task's key shows that task alone, and tells nothing of others."""

    message = "This key does not open that."

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, APIKey):
            return True
        own = isinstance(request.auth, TaskAPIKey) and request.auth.task.task_id == view.kwargs.get(
            "pk"
        )
        return own and view.action == "retrieve"
