"""`python -m clawgroups.supervisor`: what `manage.py up` becomes."""

from __future__ import annotations

import os
import sys

from clawgroups.supervisor import valkey
from clawgroups.supervisor.family import (
    Family,
    Signals,
    Stopped,
    agents_spec,
    answers,
    prepare_spec,
    web_spec,
    worker_spec,
)
from clawgroups.supervisor.place import Place, check_port, make_folders, make_secret, read_place, take_lock
from clawgroups.supervisor.say import CannotRun, Refused, say


def main() -> int:
    """Run until Ctrl-C or SIGTERM. 0: stopped as asked, 1: could not come up, 2: nothing was started."""
    os.umask(0o077)
    try:
        place = read_place(os.environ)
        make_folders(place)
        lock = take_lock(place)
        check_port(place)
        make_secret(place)
    except CannotRun as reason:
        say(str(reason))
        return 2
    family = Family(place, lock=lock, signals=Signals())
    try:
        say(f"Ready: {bring_up(family)}")
        family.watch()
    except Stopped:
        pass
    except Refused as reasons:
        print(reasons, file=sys.stderr, flush=True)
        return 1
    except CannotRun as reason:
        say(str(reason))
        return 1
    finally:
        family.stop()
    say("Stopped.")
    return 0


def bring_up(family: Family) -> str:
    """Start everything in order, and give the address at which a person goes on."""
    place = family.place
    if not family.environment.get("REDIS_URL"):
        start_valkey(family)
    family.load()
    link = sign_in_link(family.run_once(prepare_spec()), place)
    family.add(worker_spec())
    web = family.add(web_spec(place))
    family.wait_until(lambda: answers(f"{place.local_url}/healthz"), what="The web process", log=web.log)
    if place.builtin.exists():
        family.add(agents_spec(place))
    return link


def start_valkey(family: Family) -> None:
    """Start our own Valkey, and tell the children where it is."""
    address = valkey.choose_address(family.place)
    family.environment["REDIS_URL"] = address.url
    child = family.add(valkey.server_spec(family.place, valkey.find_server(), address))
    family.wait_until(address.answers, what="Valkey", log=child.log)


def sign_in_link(printed: str, place: Place) -> str:
    """The link that `manage.py prepare` printed last, else the plain address."""
    lines = [line for line in printed.split() if line.startswith("http")]
    return lines[-1] if lines else place.environment["CLAWGROUPS_BASE_URL"]


if __name__ == "__main__":
    sys.exit(main())
