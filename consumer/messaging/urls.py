from chassis.api import endpoint
from messaging.views import ProcessMessageView, SendMessageView, TaskResultViewSet

MANY = {"get": "list", "post": "create"}
ONE = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

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
