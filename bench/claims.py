"""What is claimed (P1 to P6): who runs in the same rounds, and which ratios must hold. Sources: docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.environment import Contestant, Figures

PG, FOLDER = "postgres", "folder"
FLOORS, PRODUCT, OTHERS = "bench.contestants", "bench.contestants", "bench.peers"

PG_COMMIT = Contestant("PostgreSQL, a commit per step", f"{FLOORS}.pg_commit", PG)
PG_BATCH = Contestant("PostgreSQL, one batching writer", f"{FLOORS}.pg_batch", PG)
SQLITE_BATCH = Contestant("SQLite, one batching writer", f"{FLOORS}.sqlite_batch", FOLDER)
LANGGRAPH_PG = Contestant("LangGraph, PostgreSQL, async", f"{OTHERS}.langgraph_swarm", PG, peer=True)
LANGGRAPH_SQLITE = Contestant("LangGraph, SQLite, sync", f"{OTHERS}.langgraph_swarm", FOLDER, peer=True)
DBOS = Contestant("DBOS, PostgreSQL, step", f"{OTHERS}.dbos_swarm", PG, peer=True)
CELERY = Contestant("Celery chord per wave, prefork 2", f"{OTHERS}.celery_swarm", peer=True)
OURS_PG = Contestant("Claw Groups, PostgreSQL", f"{PRODUCT}.product_steps", PG, tables=True)
OURS_SQLITE = Contestant("Claw Groups, SQLite", f"{PRODUCT}.product_steps", FOLDER, tables=True)
PLAN = Contestant("Claw Groups, plan", f"{PRODUCT}.product_plan")
FLOW = Contestant("OR-tools flow, 40 best", f"{OTHERS}.flow_plan", peer=True)
ARGMAX = Contestant("numpy, one task", f"{FLOORS}.argmax_floor")

KILLED = Contestant("Claw Groups, killed and gone on", f"{PRODUCT}.product_killed", PG, tables=True)
LIVE = Contestant("Claw Groups, live at 100 browsers", f"{PRODUCT}.product_live", PG, tables=True)
TEXTBOOK = Contestant("A transaction per step and group_send", f"{OTHERS}.textbook_live", PG, peer=True)
RECONNECT = Contestant("Claw Groups, web killed", f"{PRODUCT}.product_reconnect")
REDELIVERY = Contestant("Celery, worker killed", f"{OTHERS}.celery_redelivery", peer=True)


def _fan(name: str, module: str, needs: str, *arguments: object) -> Contestant:
    peer, product = "peers" in module, ".product_" in module
    return Contestant(name, module, needs, tables=product, peer=peer, arguments=tuple(map(str, arguments)))


CROWDS = {100: 1600, 500: 800, 1000: 480}
"""How many events go to so many browsers."""
BROADCAST = {
    n: _fan(f"websockets broadcast, {n}", f"{FLOORS}.broadcast_floor", "", "--browsers", n, "--steps", events)
    for n, events in CROWDS.items()
}
HUB, HUB_EACH, HUB_UVICORN, HUB_UVICORN_EACH = (
    {
        n: _fan(f"{name}, {n}", f"{PRODUCT}.product_hub", FOLDER, *how, "--browsers", n, "--steps", events)
        for n, events in CROWDS.items()
    }
    for name, how in (
        ("Claw Groups' hub", ()),
        ("Claw Groups' hub, a frame each", ("--each",)),
        ("Claw Groups' hub on uvicorn", ("--uvicorn",)),
        ("Claw Groups' hub on uvicorn, a frame each", ("--uvicorn", "--each")),
    )
)
RECORDED = {
    n: _fan(f"Claw Groups, recorded, {n} browsers", f"{PRODUCT}.product_fanout", PG, "--browsers", n, "--steps", events)
    for n, events in CROWDS.items()
}
GROUP_SEND = _fan("Channels group_send, 100", f"{OTHERS}.group_send", "", "--steps", 400)
FLOOD = ("--mode", "flood", "--steps", 5000)
FLOOD_BROADCAST = _fan("websockets broadcast, flood", f"{FLOORS}.broadcast_floor", "", *FLOOD)
FLOOD_HUB = _fan("Claw Groups' hub, flood", f"{PRODUCT}.product_hub", FOLDER, *FLOOD)
FLOOD_UVICORN = _fan("Claw Groups' hub on uvicorn, flood", f"{PRODUCT}.product_hub", FOLDER, "--uvicorn", *FLOOD)
FLOOD_DEAF = _fan("Claw Groups' hub, flood, one does not read", f"{PRODUCT}.product_hub", FOLDER, *FLOOD, "--deaf", 1)
Round = dict[str, Figures]
"""What each contestant, by name, told in one round."""


@dataclass(frozen=True)
class Claim:
    """A ratio of one round. `must` and `ambitious` are its limits: from below, or from above where `most`."""

    test: str
    what: str
    ratio: Callable[[Round], float]
    must: float | None
    ambitious: float | None
    most: bool = False
    unit: str = "x"

    def holds(self, value: float, limit: float | None) -> bool | None:
        if limit is None:
            return None
        return value <= limit if self.most else value >= limit


@dataclass(frozen=True)
class Bench:
    """Contestants that take turns, and what is claimed of them."""

    name: str
    contestants: tuple[Contestant, ...]
    claims: tuple[Claim, ...]


def speed(one: Figures) -> float:
    return one["steps"] / one["seconds"]


def _faster(ours: Contestant, other: Contestant) -> Callable[[Round], float]:
    return lambda found: speed(found[ours.name]) / speed(found[other.name])


def _cpu(ours: Contestant, other: Contestant) -> Callable[[Round], float]:
    return lambda found: (
        found[ours.name]["cpu"] / found[ours.name]["steps"] / (found[other.name]["cpu"] / found[other.name]["steps"])
    )


def _of(one: Contestant, figure: str) -> Callable[[Round], float]:
    return lambda found: found[one.name][figure]


def _per(one: Contestant, other: Contestant, figure: str) -> Callable[[Round], float]:
    return lambda found: found[one.name][figure] / found[other.name][figure]


def _delivers(ours: Contestant, other: Contestant) -> Callable[[Round], float]:
    def rate(one: Figures) -> float:
        return one["delivered"] / one["seconds"]

    return lambda found: rate(found[ours.name]) / rate(found[other.name])


def _frame_each(where: str, ours: dict[int, Contestant]) -> Iterator[Claim]:
    for n, one in ours.items():
        yield Claim("P2", f"delivered/s over broadcast{where}, {n}", _delivers(one, BROADCAST[n]), 0.4, 0.7)
    yield Claim("P2", f"delivered/s over group_send{where}, 100", _delivers(ours[100], GROUP_SEND), 10, None)
    cpu = _per(ours[100], BROADCAST[100], "server_us")
    yield Claim("P2", f"CPU a delivery, over broadcast{where}, 100", cpu, None, 1.5, most=True)


def _flooded(where: str, ours: Contestant, cpu: float) -> Iterator[Claim]:
    yield Claim("P2f", f"p99 in ms{where}", _of(ours, "p99_ms"), 100, 50, most=True)
    spent = _per(ours, FLOOD_BROADCAST, "server_us")
    yield Claim("P2f", f"CPU a delivery, over broadcast{where}", spent, 1, cpu, most=True)


BENCHES = (
    Bench(
        "P1",
        (PG_COMMIT, OURS_PG, LANGGRAPH_PG, PG_BATCH, DBOS, CELERY),
        (
            Claim("P1", "steps/s over PG-commit", _faster(OURS_PG, PG_COMMIT), 0.5, 1.0),
            Claim("P1", "steps/s over LangGraph + PostgreSQL", _faster(OURS_PG, LANGGRAPH_PG), 3, 5),
            Claim("P1", "steps/s over DBOS", _faster(OURS_PG, DBOS), None, 10),
            Claim("P1", "steps/s over Celery", _faster(OURS_PG, CELERY), None, 15),
            Claim("P1", "steps/s over PG-batch", _faster(OURS_PG, PG_BATCH), None, 0.08),
            Claim("P1c", "CPU per step over LangGraph + PostgreSQL", _cpu(OURS_PG, LANGGRAPH_PG), 0.5, 0.2, most=True),
        ),
    ),
    Bench(
        "P1s",
        (SQLITE_BATCH, OURS_SQLITE, LANGGRAPH_SQLITE),
        (
            Claim("P1s", "steps/s over LangGraph + SQLite", _faster(OURS_SQLITE, LANGGRAPH_SQLITE), 3, 8),
            Claim("P1s", "steps/s over SQLite-batch", _faster(OURS_SQLITE, SQLITE_BATCH), None, 0.1),
        ),
    ),
    Bench(
        "P1k",
        (KILLED,),
        (
            Claim("P1k", "acknowledged steps lost", _of(KILLED, "lost"), 0, 0, most=True),
            Claim("P1k", "steps never executed", _of(KILLED, "never"), 0, 0, most=True),
            Claim("P1k", "steps executed again", _of(KILLED, "again"), 300, 300, most=True),
        ),
    ),
    Bench(
        "P5",
        (ARGMAX, PLAN, FLOW),
        (
            Claim(
                "P5",
                "score over the exact optimum",
                lambda found: found[PLAN.name]["score"] / found[FLOW.name]["exact"],
                0.94,
                0.97,
            ),
            Claim(
                "P5",
                "seconds over OR-tools' flow",
                lambda found: found[PLAN.name]["seconds"] / found[FLOW.name]["seconds"],
                1,
                1,
                most=True,
            ),
            Claim(
                "P5r",
                "one task given anew, over numpy",
                lambda found: found[PLAN.name]["again"] / found[ARGMAX.name]["again"],
                10,
                3,
                most=True,
            ),
        ),
    ),
    Bench(
        "P3",
        (PG_COMMIT, LIVE, LANGGRAPH_PG, TEXTBOOK),
        (
            Claim("P3", "steps/s over PG-commit", _faster(LIVE, PG_COMMIT), 0.5, 1.0),
            Claim("P3", "steps/s over LangGraph + PostgreSQL, headless", _faster(LIVE, LANGGRAPH_PG), 3, 5),
            Claim("P3", "p99 in ms, the commit too", _of(LIVE, "p99_ms"), None, 300, most=True),
            Claim("P3x", "events at browsers in a minute", _per(LIVE, TEXTBOOK, "delivered"), 10, 30),
        ),
    ),
    Bench(
        "P4",
        (RECONNECT, REDELIVERY),
        (
            Claim("P4", "seconds until all are back", _of(RECONNECT, "seconds"), 15, None, most=True),
            Claim("P4", "attempts under another epoch", _of(RECONNECT, "other_epoch"), 0, 0, most=True),
            Claim("P4", "tasks reassigned", _of(RECONNECT, "reassigned"), 0, 0, most=True),
            Claim("P4", "tasks begun twice", _of(RECONNECT, "doubled"), 0, 0, most=True),
            Claim("P4", "seconds over Celery's", _per(RECONNECT, REDELIVERY, "seconds"), None, 0.15, most=True),
        ),
    ),
    Bench(
        "P2",
        (*BROADCAST.values(), *HUB_EACH.values(), *HUB_UVICORN_EACH.values(), GROUP_SEND),
        (*_frame_each("", HUB_EACH), *_frame_each(" on uvicorn", HUB_UVICORN_EACH)),
    ),
    Bench(
        "P2t",
        (*BROADCAST.values(), *HUB.values(), *HUB_UVICORN.values()),
        (
            Claim("P2t", "delivered/s over broadcast, 100", _delivers(HUB[100], BROADCAST[100]), 0.4, None),
            Claim("P2t", "delivered/s over broadcast, 500", _delivers(HUB[500], BROADCAST[500]), 1, None),
            Claim("P2t", "delivered/s over broadcast, 1000", _delivers(HUB[1000], BROADCAST[1000]), 1, 2),
            *(
                Claim("P2t", f"delivered/s over broadcast on uvicorn, {n}", _delivers(one, BROADCAST[n]), *limits)
                for (n, one), limits in zip(HUB_UVICORN.items(), ((0.7, None), (2, None), (2, 5)), strict=True)
            ),
        ),
    ),
    Bench(
        "P6",
        (*BROADCAST.values(), *RECORDED.values()),
        (
            *(
                Claim("P6", f"recorded and delivered/s over broadcast, {n}", _delivers(one, BROADCAST[n]), None, None)
                for n, one in RECORDED.items()
            ),
            Claim("P6", "MiB of the server, 1000 browsers", _of(RECORDED[1000], "server_rss_mb"), 220, 150, most=True),
        ),
    ),
    Bench(
        "P2f",
        (FLOOD_BROADCAST, FLOOD_HUB, FLOOD_UVICORN, FLOOD_DEAF),
        (
            *_flooded("", FLOOD_HUB, 0.6),
            *_flooded(" on uvicorn", FLOOD_UVICORN, 0.35),
            Claim("P2s", "p99 with one that does not read", _per(FLOOD_DEAF, FLOOD_HUB, "p99_ms"), 1.5, 1.1, most=True),
            Claim(
                "P2s",
                "MiB more where one does not read",
                lambda found: found[FLOOD_DEAF.name]["server_grew_mb"] - found[FLOOD_HUB.name]["server_grew_mb"],
                2,
                None,
                most=True,
            ),
        ),
    ),
)
