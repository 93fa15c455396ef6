"""The OpenAPI document's examples: the specification's payloads, and what they lead to."""

from typing import Any

ORDER: dict[str, Any] = {
    "address": "Ariana Nkhilet",
    "phone_number": "+21658741196",
    "total_paid": 50,
    "currency": "TND",
    "items": [
        {"item_name": "item1", "price": 20, "quantity": 1},
        {"item_name": "item2", "price": 30, "quantity": 1},
    ],
}
EDIT = {"address": "123 Main St"}
CREATED, SETTLED = "2026-11-24T09:00:00.000000Z", "2026-11-24T09:00:00.150000Z"
TASK_ID = "7d0ff7ad-9a4c-4f3c-a0a8-0f0b6d8f8d53"
ORDER_SHOWN: dict[str, Any] = {
    "uuid": "c151efba-f415-4d2a-8b8f-161f30456aff",
    "order_key": "ABC123",
    "status": "pending",
    "user": "yahya",
    "address": "Ariana Nkhilet",
    "phone_number": "+21658741196",
    "total_paid": "50.000",
    "currency": "TND",
    "items": [
        {"item_name": "item1", "price": "20.000", "quantity": 1},
        {"item_name": "item2", "price": "30.000", "quantity": 1},
    ],
    "task_id": None,
    "created_at": CREATED,
    "updated_at": CREATED,
}
WEBHOOK = {"task_id": TASK_ID, "status": "confirmed", "result": "TNDABC123pending"}
RESULT = {"task_id": TASK_ID, "result": "TNDABC123pending", "order": ORDER_SHOWN["uuid"]}
RESULT_SHOWN = {**RESULT, "created_at": SETTLED}
SENT = {"status": 202, "ms": 12, "error": ""}
DELIVERED = {"status": 200, "ms": 15, "error": ""}
TIMELINE: dict[str, Any] = {
    "uuid": ORDER_SHOWN["uuid"],
    "order_key": "ABC123",
    "status": "confirmed",
    "task_id": TASK_ID,
    "dispatch": {"state": "done", "attempts": 1, "due_at": None, "last_error": ""},
    "delivery": {"state": "delivered", "attempts": 1, "due_at": None, "last_error": ""},
    "consumer": "ok",
    "events": [
        {"at": CREATED, "event": "accepted", "service": "producer"},
        {"at": "2026-11-24T09:00:00.040000Z", "event": "sent", "service": "producer", **SENT},
        {
            "at": "2026-11-24T09:00:00.050000Z",
            "event": "task",
            "service": "consumer",
            "task_id": TASK_ID,
        },
        {
            "at": "2026-11-24T09:00:00.090000Z",
            "event": "processed",
            "service": "consumer",
            "status": "SUCCESS",
            "result": "TNDABC123pending",
        },
        {
            "at": "2026-11-24T09:00:00.130000Z",
            "event": "delivered",
            "service": "consumer",
            **DELIVERED,
        },
        {
            "at": SETTLED,
            "event": "result",
            "service": "producer",
            "task_id": TASK_ID,
            "result": "TNDABC123pending",
        },
        {"at": SETTLED, "event": "confirmed", "service": "producer"},
    ],
}
