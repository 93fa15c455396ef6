"""The status webhook: where a task's result arrives and moves its order on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_api_key.models import APIKey

from chassis import keys, logs
from chassis.api import validated
from chassis.bodies import parse_json, read_body
from chassis.clock import Now, as_time
from chassis.sql import Prepared
from orders import schema, services, signatures
from orders.models import Order, OrderAPIKey
from orders.permissions import KeyNotYetChecked
from orders.serializers import WebhookSerializer

OWN_KEY = Prepared(
    lambda prefix, uuid: (
        OrderAPIKey.objects.filter(prefix=prefix, order__uuid=uuid).order_by().annotate(now=Now())
    ),
    prefix="prefix",
    uuid=UUID(int=1),
)


@schema.webhook
class ChangeOrderStatusView(APIView):
    """Takes `{task_id, status, result}` for one order, from whoever holds that order's key or a
    service key.

    The checks come in the contract's order: credentials given, body readable, order known, key
    good, key meant for it, signature, body valid.
    """

    authentication_classes = [KeyNotYetChecked]
    permission_classes: list[Any] = []

    def post(self, request: Request, uuid: UUID) -> Response:
        raw: Any = request._request  # read as bytes: its signature is checked before it is parsed
        key: Any = request.auth
        body = read_body(raw)
        if request.content_type.partition(";")[0].strip().lower() != "application/json":
            raise exceptions.UnsupportedMediaType(request.content_type)
        order_id, now = self._order(uuid, key)
        signatures.verify(request.headers, body, now)
        data = validated(WebhookSerializer, parse_json(body))
        logs.note(order=str(uuid), task_id=data["task_id"])
        try:
            status = services.record_result(order_id=order_id, **data)
        except (Order.DoesNotExist, IntegrityError) as error:  # deleted since it was looked up
            raise Http404 from error
        return Response({"uuid": str(uuid), "status": status})

    @staticmethod
    def _order(uuid: UUID, key: str) -> tuple[int, datetime]:
        """The order's id, and the database's time; one query for its own key."""
        prefix = key.partition(".")[0].replace("\x00", "")
        own: Any = OWN_KEY.one(prefix=prefix, uuid=uuid)
        if own is not None:
            if not keys.usable(own, key):
                raise exceptions.AuthenticationFailed(keys.BAD_KEY)
            return own.order_id, as_time(own.now)
        order = Order.objects.filter(uuid=uuid).annotate(now=Now()).first()
        if order is None:
            raise Http404
        if keys.find(APIKey, key) is None:
            if keys.find(OrderAPIKey, key) is None:
                raise exceptions.AuthenticationFailed(keys.BAD_KEY)
            raise exceptions.PermissionDenied("This key is another order's.")
        return order.pk, order.now
