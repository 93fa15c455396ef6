"""Makes `chassis` importable and loads the Celery app with Django.

The repository root is appended, never put first: its folders must not shadow installed packages.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent.parent)
if ROOT not in sys.path:
    sys.path.append(ROOT)

from config.celery import app as celery_app  # noqa: E402  # needs the path

__all__ = ["celery_app"]
