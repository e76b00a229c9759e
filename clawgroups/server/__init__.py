"""Our Daphne: bounded transport, message sizes, pings and draining. Run it with `python -m clawgroups.server`."""
