"""The ASGI application: pages and API, tools for agents, browsers' and scripts' sockets, agents' sockets.

There is no host-wide check of Origin: cookies count only from an exact Origin, bearers need none
(`clawgroups.realtime.entrance`), and agents send none.
"""

from __future__ import annotations

import os
from typing import cast

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

from clawgroups import startup

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
startup.begin()
pages = get_asgi_application()

# Models may be imported only once Django is set up.
from agents.protocol import acp  # noqa: E402
from clawgroups import commit, draining  # noqa: E402
from clawgroups.api.bodies import Application, BodyLimit  # noqa: E402
from clawgroups.gateway.lifespan import lifespan  # noqa: E402
from clawgroups.gateway.mcp import beside  # noqa: E402
from clawgroups.realtime import renderer  # noqa: E402
from clawgroups.routing import urlpatterns  # noqa: E402
from clawgroups.services.perform import let_go  # noqa: E402

acp.load()
renderer.load()
draining.at_end(commit.drain)
draining.at_end(let_go)
draining.at_end(renderer.renderer.stop)
bodies = BodyLimit(cast("Application", pages))
application = ProtocolTypeRouter({"http": beside(bodies), "websocket": URLRouter(urlpatterns), "lifespan": lifespan})
# So that our own server need not take in what would be refused.
application.bodies = bodies
# Before anything listens, while a fork is safe.
application.before_serving = renderer.renderer.prepare
