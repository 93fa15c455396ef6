"""The OpenAPI document's examples: the specification's payload, and what it leads to."""

from typing import Any

MESSAGE: dict[str, Any] = {
    "webhook_url": "http://127.0.0.1:7000/api/v1/data/orders/"
    "c151efba-f415-4d2a-8b8f-161f30456aff/status/update",
    "address": "123 Main St",
    "phone_number": "555-1234",
    "order_key": "ABC123",
    "status": "pending",
    "currency": "USD",
}
WITH_ID = {
    **MESSAGE,
    "message_id": "c151efba-f415-4d2a-8b8f-161f30456aff",
    "webhook_api_key": "x7Gq2LwA.8ZrPn5KdVtYb3MfHs6JcXe9TuQ4RgNa1",
    "request_id": "b6f2f6d0a1d14c3fb4c0de35a1f9c1de",
}
TASK_ID = "7d0ff7ad-9a4c-4f3c-a0a8-0f0b6d8f8d53"
ACCEPTED = {
    "task_id": TASK_ID,
    "status": "PENDING",
    "url": f"http://127.0.0.1:8000/api/v1/consumer/tasks/{TASK_ID}/",
}
PROCESSED = {"task_id": TASK_ID, "status": "SUCCESS", "result": "USDABC123pending"}
TASK: dict[str, Any] = {
    **PROCESSED,
    "date_created": "2026-11-24T09:00:00.050000Z",
    "date_done": "2026-11-24T09:00:00.090000Z",
    "message_id": "c151efba-f415-4d2a-8b8f-161f30456aff",
    "order_key": "ABC123",
    "delivery": {
        "state": "delivered",
        "attempts": 1,
        "due_at": None,
        "last_error": "",
        "log": [{"at": "2026-11-24T09:00:00.130000Z", "ms": 15, "status": 200, "error": ""}],
    },
}
QUEUED_TASK = {
    **TASK,
    "delivery": {
        **TASK["delivery"],
        "state": "delivering",
        "attempts": 0,
        "due_at": "2026-11-24T10:00:00.000000Z",
    },
}
WEBHOOK = {"task_id": TASK_ID, "status": "confirmed", "result": "USDABC123pending"}
WEBHOOK_FAILED = {"task_id": TASK_ID, "status": "cancelled", "result": "ValueError: no such order"}
