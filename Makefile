PYTHON ?= python3

.PHONY: run test chaos lint types lock

run:
	@exec $(PYTHON) claw up

test:
	@exec $(PYTHON) claw test

chaos:
	@exec $(PYTHON) claw chaos

lint:
	@exec $(PYTHON) claw lint

types:
	@exec $(PYTHON) claw types

lock:
	@exec $(PYTHON) claw lock
