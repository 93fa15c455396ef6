from django.db import migrations, models

from chassis.migration_operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0005_large_tables")]

    operations = [
        AddIndexOnline(
            model_name="sendattempt",
            index=models.Index(fields=["at"], name="send_attempt_at"),
        ),
        AddIndexOnline(
            model_name="taskresult",
            index=models.Index(fields=["created_at"], name="task_result_created"),
        ),
    ]
