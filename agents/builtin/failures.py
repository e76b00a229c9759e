"""The three ways in which work ends early, each with a text a person can act on."""

from __future__ import annotations


class TableError(Exception):
    """A file cannot be read as a table; the text says what is wrong and what to do."""


class NoInputError(Exception):
    """The work cannot be done for lack of input; the text says which input is needed."""


class Stopped(Exception):
    """The turn was cancelled: nothing more is said and nothing is written."""
