"""The commands that change what serves, and show it."""
