"""Following the control topic: what serves, and how much, changes while requests flow."""
