from chassis.api import MANY, ONE, endpoint
from orders.views import OrderViewSet, TaskResultViewSet
from orders.webhook import ChangeOrderStatusView

urlpatterns = [
    endpoint("orders/", OrderViewSet.as_view(MANY), "order-list"),
    endpoint("orders/<uuid:uuid>/", OrderViewSet.as_view(ONE), "order-detail"),
    endpoint(
        "orders/<uuid:uuid>/timeline/", OrderViewSet.as_view({"get": "timeline"}), "order-timeline"
    ),
    endpoint(
        "orders/<uuid:uuid>/status/update", ChangeOrderStatusView.as_view(), "order-status-update"
    ),
    endpoint("task-results/", TaskResultViewSet.as_view(MANY), "task-result-list"),
    endpoint("task-results/<str:pk>/", TaskResultViewSet.as_view(ONE), "task-result-detail"),
]
