"""How fast Claw Groups is, beside floors and peers measured in the same rounds: `python3 claw bench`."""
