"""Faults on purpose: real processes are killed, stopped and cut off, and the history is checked afterwards."""
