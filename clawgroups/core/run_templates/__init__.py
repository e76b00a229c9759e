"""Runs that start from a form: what a template asks for, the plan it makes of it, and what comes out. Pure data.

One file each; `library.py` lists them, `shape.py` says what they are made of, `filling.py` makes the plan.
"""
