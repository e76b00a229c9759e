"""`manage.py up`: one machine's processes, started, watched and stopped together. Standard library only."""
