"""The control topic: what operators ask for, and what workers say of it."""
