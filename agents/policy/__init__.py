"""What a permission request wants to do, and whether a rule is about it: the same on the agent's machine and in the
workspace. Pure: the disk is given in (`machine.Machine`). Standard library only.
"""
