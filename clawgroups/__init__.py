"""What happens in a workspace, every door to it, and the project's wiring."""

from clawgroups.celery import app as celery_app

__all__ = ["celery_app"]
