"""Peers of P5: OR-tools' min-cost flow over the 40 best members of each task, and the exact optimum by scipy."""

from __future__ import annotations

import time

import numpy as np
from ortools.graph.python import min_cost_flow
from scipy.optimize import linear_sum_assignment

from bench.matching import CAPACITY, MEMBERS, instance
from bench.swarm import arguments, begun, tell

NEAREST = 40
SCALE = 1_000_000


def main() -> None:
    told = arguments(__doc__)
    scores = instance(told.steps, told.seed)
    begun()
    started = time.perf_counter()
    best = by_flow(scores)
    seconds = time.perf_counter() - started
    rows, columns = linear_sum_assignment(np.repeat(scores, CAPACITY, axis=1), maximize=True)
    exact = float(scores[rows, columns // CAPACITY].sum())
    tell(steps=told.steps, seconds=seconds, score=best, exact=exact)


def by_flow(scores: np.ndarray) -> float:
    tasks = len(scores)
    nearest = np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]
    rows, columns = np.repeat(np.arange(tasks), NEAREST), nearest.ravel()
    flow = min_cost_flow.SimpleMinCostFlow()
    source, sink = tasks + MEMBERS, tasks + MEMBERS + 1
    costs = (-scores[rows, columns].astype(np.float64) * SCALE).astype(np.int64)
    add = flow.add_arcs_with_capacity_and_unit_cost
    add(rows, tasks + columns, np.ones(len(rows), np.int64), costs)
    add(np.full(tasks, source), np.arange(tasks), np.ones(tasks, np.int64), np.zeros(tasks, np.int64))
    members = np.arange(MEMBERS)
    add(tasks + members, np.full(MEMBERS, sink), np.full(MEMBERS, CAPACITY), np.zeros(MEMBERS, np.int64))
    flow.set_node_supply(source, tasks)
    flow.set_node_supply(sink, -tasks)
    assert flow.solve_max_flow_with_min_cost() == flow.OPTIMAL
    assert flow.maximum_flow() == tasks
    return -flow.optimal_cost() / SCALE


if __name__ == "__main__":
    main()
