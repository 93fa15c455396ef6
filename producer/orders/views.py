"""The orders' endpoints: thin; what they do is in `services`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError
from django.db.models import Prefetch, QuerySet
from django.http import Http404
from rest_framework import exceptions, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_api_key.models import APIKey

from chassis import logs
from chassis.api import filtered, validated
from chassis.keys import ApiKeyAuthentication
from orders import schema, schema_results, serializers, services, timeline
from orders.models import Order, OrderItem, OrderStatus, TaskResult
from orders.permissions import IsUser, ReadsOwnOrWritesAsStaff
from users.authentication import TokenAuthentication

ITEMS = Prefetch("items", OrderItem.objects.order_by("id"))


def shown(order: Order) -> dict[str, Any]:
    return serializers.order_json(order, order.items.all(), order.user.username)


@schema.orders
class OrderViewSet(viewsets.GenericViewSet[Order]):
    """A user's own orders; staff see all. Another user's order is answered like one that is not
    there.
    """

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsUser]
    lookup_field = "uuid"
    span_of = "created_at"

    def get_queryset(self) -> QuerySet[Order]:
        orders = Order.objects.select_related("user").prefetch_related(ITEMS)
        user: Any = self.request.user  # a CustomUser: nobody else gets this far
        return orders if user.is_staff else orders.filter(user=user)

    def get_object(self) -> Order:
        order = super().get_object()
        logs.note(order=str(order.uuid), **({"task_id": order.task_id} if order.task_id else {}))
        return order

    def list(self, request: Request) -> Response:
        orders = filtered(request, serializers.OrderFilters, self.get_queryset())
        page = self.paginate_queryset(orders)
        return self.get_paginated_response([shown(order) for order in page or []])

    def create(self, request: Request) -> Response:
        user: Any = request.user
        data = validated(serializers.OrderSerializer, request.data)
        key = self._idempotency_key(request)
        digest = services.digest_of(request.data) if key else ""
        order, items = services.place_order(
            user=user, data=data, idempotency_key=key, digest=digest
        )
        logs.note(order=str(order.uuid))
        body = serializers.order_json(order, items, user.username)
        location = {
            "Location": request.build_absolute_uri(f"{request.path.rstrip('/')}/{order.uuid}/")
        }
        return Response(body, status=status.HTTP_201_CREATED, headers=location)

    @staticmethod
    def _idempotency_key(request: Request) -> str | None:
        key: str | None = request.headers.get("Idempotency-Key")
        if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise exceptions.ValidationError(
                {"Idempotency-Key": "1 to 255 printable characters are needed."}
            )
        return key

    def retrieve(self, request: Request, uuid: str) -> Response:
        return Response(shown(self.get_object()))

    def update(self, request: Request, uuid: str) -> Response:
        return self._edit(serializers.OrderEditSerializer)

    def partial_update(self, request: Request, uuid: str) -> Response:
        return self._edit(serializers.OrderPatchSerializer)

    def _edit(self, serializer: type[serializers.OrderEditSerializer]) -> Response:
        order = self.get_object()
        if order.status != OrderStatus.PENDING:
            raise services.NotPending()
        services.edit_order(order=order, data=validated(serializer, self.request.data))
        return Response(shown(self.get_object()))

    def destroy(self, request: Request, uuid: str) -> Response:
        services.delete_order(order=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @schema.timeline_of_order
    def timeline(self, request: Request, uuid: str) -> Response:
        return Response(timeline.of(self.get_object()))


@contextmanager
def order_still_there() -> Iterator[None]:
    """While a row is written that names an order. Raises ValidationError where that was deleted
    since the body was checked.
    """
    try:
        yield
    except IntegrityError as error:
        gone = exceptions.ErrorDetail("This order was deleted just now.", "does_not_exist")
        raise exceptions.ValidationError({"order": gone}) from error


@schema_results.task_results
class TaskResultViewSet(viewsets.GenericViewSet[TaskResult]):
    """Results of the user's own orders; staff and service keys see all, and write by hand. It moves
    no order.
    """

    authentication_classes = [TokenAuthentication, ApiKeyAuthentication]
    permission_classes = [ReadsOwnOrWritesAsStaff]
    lookup_field = "task_id"
    lookup_url_kwarg = "pk"

    def get_queryset(self) -> QuerySet[TaskResult]:
        rows = TaskResult.objects.select_related("order")
        user: Any = self.request.user  # none where a key opens it
        if isinstance(self.request.auth, APIKey) or user.is_staff:
            return rows
        return rows.filter(order__user=user)

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(
            [serializers.task_result_json(row) for row in page or []]
        )

    def create(self, request: Request) -> Response:
        data = validated(serializers.TaskResultSerializer, request.data)
        with order_still_there():
            row, created = TaskResult.objects.get_or_create(task_id=data["task_id"], defaults=data)
        if not created:
            taken = exceptions.ErrorDetail("A result of this task is there already.", "unique")
            raise exceptions.ValidationError({"task_id": taken})
        return Response(serializers.task_result_json(row), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(serializers.task_result_json(self.get_object()))

    def update(self, request: Request, pk: str, partial: bool = False) -> Response:
        row = self.get_object()
        changes = validated(serializers.TaskResultEditSerializer, request.data, partial=partial)
        with order_still_there():
            if changes and not TaskResult.objects.filter(pk=row.pk).update(**changes):
                raise Http404  # deleted since it was looked up
        for name, value in changes.items():
            setattr(row, name, value)
        return Response(serializers.task_result_json(row))

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.update(request, pk, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
