from chassis.api import MANY, ONE, endpoint
from messaging.views import ProcessMessageView, SendMessageView, TaskResultViewSet

urlpatterns = [
    endpoint("send-message/", SendMessageView.as_view(), "send-message"),
    endpoint("process-message/", ProcessMessageView.as_view(), "process-message"),
    endpoint("tasks/", TaskResultViewSet.as_view(MANY), "task-list"),
    endpoint("tasks/<str:pk>/", TaskResultViewSet.as_view(ONE), "task-detail"),
    endpoint(
        "tasks/<str:pk>/redeliver/",
        TaskResultViewSet.as_view({"post": "redeliver"}),
        "task-redeliver",
    ),
]
