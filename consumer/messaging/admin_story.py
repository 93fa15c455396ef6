"""A message's story, as its page in the admin draws it."""

from celery import states
from django.utils.text import Truncator

from chassis.story import Step, Story
from messaging import results
from messaging.models import DeliveryAttempt, Message, State

MOST_ATTEMPTS = 100
NEXT = {  # what comes when its row is due
    State.PROCESSING: "To be published again, if it has no result",
    State.DELIVERING: "Result to be sent",
}


def of(message: Message) -> Story:
    task = message.task
    request = f"request {message.request_id}" if message.request_id else ""
    steps = [Step(message.created_at, "Message accepted", "info", detail=request)]
    if task.status in states.READY_STATES:
        colour = "success" if task.status == states.SUCCESS else "danger"
        said = Truncator(str(results.outcome_of(task))).chars(200)
        steps.append(Step(task.date_done, "Task ended", colour, detail=f"{task.status}, {said}"))
    newest = DeliveryAttempt.objects.filter(message=message).order_by("-id")[:MOST_ATTEMPTS]
    steps += [_attempt(attempt) for attempt in newest]
    if message.due_at and message.state in NEXT:
        steps.append(Step(message.due_at, NEXT[State(message.state)], "info", to_come=True))
    again = f"Its task began {message.executions} times after its first publish and did not end."
    is_at_work = message.state == State.PROCESSING
    return Story(steps, again if message.executions and is_at_work else "")


def _attempt(attempt: DeliveryAttempt) -> Step:
    taken = attempt.status is not None and attempt.status < 300
    title = "Result delivered" if taken else "Result not delivered"
    colour = "success" if taken else "danger" if attempt.status is None else "warning"
    detail = "" if attempt.status is None else str(attempt.status)
    return Step(attempt.at, title, colour, ms=attempt.ms, detail=detail, error=attempt.error)
