"""One program per contestant: it does the work once, alone in its process, and prints one line of JSON."""
