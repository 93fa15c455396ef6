"""A row's story in the admin: its steps by time, drawn one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chassis.dashboard import duration


@dataclass(frozen=True)
class Step:
    at: datetime
    title: str
    colour: str  # as of a badge
    service: str = ""
    ms: int | None = None  # how long it took, where that is known
    detail: str = ""
    error: str = ""
    to_come: bool = False  # it is what comes next


@dataclass(frozen=True)
class Drawn:
    """A step where it stands among the others."""

    step: Step
    when: str  # after the first step or, of what is to come, from now on
    left: float = 0  # where its bar begins, and how long it is: percent of the whole
    width: float = 0


@dataclass(frozen=True)
class Story:
    steps: Sequence[Step]
    note: str = ""  # what is missing in it

    @property
    def start(self) -> datetime:
        return min(step.at for step in self.steps if not step.to_come)

    @property
    def drawn(self) -> list[Drawn]:
        start = self.start
        ends = [step.at + _length(step) for step in self.steps if not step.to_come]
        whole = max(ends) - start or timedelta(seconds=1)
        drawn = []
        for step in sorted(self.steps, key=lambda step: (step.to_come, step.at)):
            if step.to_come:
                drawn.append(Drawn(step, _ahead(step.at - timezone.now())))
                continue
            after = step.at - start
            when = f"+{duration(after.total_seconds())}" if after else "start"
            drawn.append(Drawn(step, when, 100 * (after / whole), 100 * (_length(step) / whole)))
        return drawn


def _ahead(time: timedelta) -> str:
    return f"in {duration(time.total_seconds())}" if time > timedelta(0) else "now"


def _length(step: Step) -> timedelta:
    return timedelta(milliseconds=step.ms or 0)


class StoryAdmin:
    """An admin whose rows' pages begin with their story."""

    change_form_outer_before_template = "chassis/story.html"

    def story_of(self, row: Any) -> Story:
        raise NotImplementedError

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if context.get("original") is not None:
            context["story"] = self.story_of(context["original"])
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response
