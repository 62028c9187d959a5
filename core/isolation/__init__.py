"""A model in a process of its own, behind the same contract as one in this process."""
