PYTHON ?= python3

.PHONY: run test test-model test-agents chaos bench bench-smoke lint types lock

run:
	@exec $(PYTHON) claw up

test:
	@exec $(PYTHON) claw test

test-model:
	@exec $(PYTHON) claw test-model

test-agents:
	@exec $(PYTHON) claw test-agents

chaos:
	@exec $(PYTHON) claw chaos

bench:
	@exec $(PYTHON) claw bench

bench-smoke:
	@exec $(PYTHON) claw bench --smoke

lint:
	@exec $(PYTHON) claw lint

types:
	@exec $(PYTHON) claw types

lock:
	@exec $(PYTHON) claw lock
