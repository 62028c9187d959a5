"""The control topic and the status topic, as both sides use them."""
