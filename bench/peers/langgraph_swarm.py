"""Peer: LangGraph with its PostgreSQL or SQLite checkpointer: a super-step for each wave, a Send for each step."""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from bench.swarm import arguments, begun, graph, tell


class State(TypedDict):
    wave: int
    done: Annotated[list[int], operator.add]


class Step(TypedDict):
    number: int


@asynccontextmanager
async def saver(database: str) -> AsyncIterator[Any]:
    if "://" in database:
        async with AsyncPostgresSaver.from_conn_string(database) as found:
            await found.setup()
            yield found
    else:
        async with AsyncSqliteSaver.from_conn_string(str(Path(database) / "langgraph.sqlite3")) as found:
            await found.conn.execute("PRAGMA journal_mode = WAL")
            await found.conn.execute("PRAGMA synchronous = FULL")
            yield found


async def main() -> None:
    told = arguments(__doc__)
    plan = graph(told.steps, told.seed)

    async def step(state: Step) -> dict[str, Any]:
        return {"done": [state["number"]]}

    async def barrier(state: State) -> dict[str, Any]:
        return {"wave": state["wave"] + 1}

    def fan_out(state: State) -> list[Send] | str:
        if state["wave"] >= len(plan.waves):
            return END
        return [Send("step", {"number": number}) for number in plan.waves[state["wave"]]]

    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_node("barrier", barrier)
    builder.add_conditional_edges(START, fan_out, ["step", END])
    builder.add_edge("step", "barrier")
    builder.add_conditional_edges("barrier", fan_out, ["step", END])
    async with saver(told.database) as found:
        app = builder.compile(checkpointer=found)
        config: Any = {"configurable": {"thread_id": "swarm"}, "recursion_limit": 4 * len(plan.waves)}
        started = begun()
        durability: Any = "async" if "://" in told.database else "sync"
        ended = await app.ainvoke({"wave": 0, "done": []}, config, durability=durability)
        seconds = time.perf_counter() - started
    assert sorted(ended["done"]) == list(range(plan.steps))
    tell(steps=plan.steps, seconds=seconds)


if __name__ == "__main__":
    asyncio.run(main())
