from django.db import migrations, models

from chassis.migration_operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("django_celery_results", "0014_alter_taskresult_status"),
        ("messaging", "0002_tally"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state", "dead")), fields=["id"], name="message_dead"
            ),
        ),
        AddIndexOnline(
            model_name="host",
            index=models.Index(fields=["failing_since"], name="host_failing_since"),
        ),
    ]
