"""The administration: Django's own admin in our colours. It reads rows; what it does, it does by verbs."""

from clawgroups.admin import accounts, agents, rooms, work
from clawgroups.admin.site import site

__all__ = ["accounts", "agents", "rooms", "site", "work"]
