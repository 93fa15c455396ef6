"""The orders' endpoints in the OpenAPI document. Nothing of it runs when a request is answered."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)

from chassis.openapi import Schema, answers
from orders import answers as shown
from orders import serializers
from orders.currencies import CURRENCIES
from orders.examples import EDIT, ORDER, ORDER_SHOWN, TIMELINE, WEBHOOK

CURRENCY = ResolvedComponent(
    "Currency",
    ResolvedComponent.SCHEMA,
    {"type": "string", "enum": sorted(CURRENCIES), "description": "An ISO 4217 code."},
    CURRENCIES,
)


class Money(OpenApiSerializerFieldExtension):
    target_class = "orders.serializers.MoneyField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        if direction == "response":
            return {"type": "string", "pattern": r"^[0-9]{1,9}\.[0-9]{3}$"}
        return {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 999999999.999},
                {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,3})?$"},
            ],
            "description": "At most 3 decimals.",
        }


class OrderBody(OpenApiSerializerExtension):
    target_class = "orders.serializers.OrderSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        auto_schema.registry.register_on_missing(CURRENCY)
        schema["properties"]["currency"] = CURRENCY.ref
        schema["properties"]["items"] |= {"minItems": 1, "maxItems": serializers.MOST_ITEMS}
        schema["properties"]["phone_number"]["description"] = "A real number, in E.164."
        return schema


OF_CURRENCY = OpenApiParameter("currency", CURRENCY.ref)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    OpenApiParameter.HEADER,
    description="Of the caller's choice. The same key with the same JSON again answers the first "
    "order, as it is now; with other JSON, 422.",
)
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[201],
    required=True,
    description="The order's URL.",
)
WEBHOOK_HEADERS = [
    OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)
    for name, text in {
        "webhook-id": "The same for every attempt.",
        "webhook-timestamp": "When it was signed, in seconds since 1970; at most 5 minutes ago.",
        "webhook-signature": "`v1,` and the signature, as in Standard Webhooks; several are "
        "separated by spaces. A wrong one is a 401, and so is a missing one where "
        "WEBHOOK_SIGNATURE_REQUIRED is set.",
    }.items()
]
UUID = OpenApiParameter(
    "uuid", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH, description="The order's."
)


def sent(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def answered(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True)


orders = extend_schema_view(
    list=extend_schema(
        operation_id="list_orders",
        summary="List orders, the newest first",
        tags=["orders"],
        parameters=[serializers.OrderFilters, OF_CURRENCY],
        responses=answers({200: shown.OrderAnswer(many=True)}, 400),
        examples=[answered("One order", ORDER_SHOWN)],
    ),
    create=extend_schema(
        operation_id="create_order",
        summary="Place an order",
        description="Answered at once, whatever the state of the consumer: the order is `pending`.",
        tags=["orders"],
        parameters=[IDEMPOTENCY_KEY, LOCATION],
        request=serializers.OrderSerializer,
        responses=answers({201: shown.OrderAnswer}, 422),
        examples=[sent("An order", ORDER), answered("The order", ORDER_SHOWN)],
    ),
    retrieve=extend_schema(
        operation_id="get_order",
        summary="One order",
        tags=["orders"],
        parameters=[UUID],
        responses=answers({200: shown.OrderAnswer}, 404),
        examples=[answered("The order", ORDER_SHOWN)],
    ),
    update=extend_schema(
        operation_id="replace_order",
        summary="Change a pending order",
        description="Its currency can't be changed.",
        tags=["orders"],
        parameters=[UUID],
        request=serializers.OrderEditSerializer,
        responses=answers({200: shown.OrderAnswer}, 404, 409),
        examples=[sent("An order", ORDER), answered("The order", ORDER_SHOWN)],
    ),
    partial_update=extend_schema(
        operation_id="change_order",
        summary="Change some of a pending order, or cancel it",
        description="`items`, when given, replace all. `cancelled` is the one status that can be "
        "written.",
        tags=["orders"],
        parameters=[UUID],
        request=serializers.OrderPatchSerializer,
        responses=answers({200: shown.OrderAnswer}, 404, 409),
        examples=[
            sent("Cancel it", {"status": "cancelled"}),
            sent("Another address", EDIT),
            answered("The order", ORDER_SHOWN),
        ],
    ),
    destroy=extend_schema(
        operation_id="delete_order",
        summary="Delete an order that is not confirmed",
        tags=["orders"],
        parameters=[UUID],
        responses=answers({204: None}, 404, 409),
    ),
)

timeline_of_order = extend_schema(
    operation_id="get_order_timeline",
    summary="Every step of an order, in both services",
    description="The consumer's part is asked from its API; `consumer` says whether it answered.",
    tags=["orders"],
    parameters=[UUID],
    responses=answers({200: shown.TimelineAnswer}, 404),
    examples=[answered("A confirmed order's", TIMELINE)],
)

webhook = extend_schema_view(
    post=extend_schema(
        operation_id="update_order_status",
        summary="Record a task's result, and move its order on",
        description="The key is the order's own, which was sent along with its message, or a "
        "service key. The first result stands: a repeat answers 200 and changes nothing.",
        tags=["webhook"],
        # By name: as a class of its own the view's would count as another scheme.
        auth=[{"Api-Key": []}],  # type: ignore[list-item]  # the annotation is not right
        parameters=[UUID, *WEBHOOK_HEADERS],
        request=serializers.WebhookSerializer,
        responses=answers({200: shown.OrderStatusAnswer}, 403, 404, 409),
        examples=[
            sent("A result", WEBHOOK),
            answered("The order", {"uuid": ORDER_SHOWN["uuid"], "status": "confirmed"}),
        ],
    ),
)
