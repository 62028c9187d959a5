"""`penstock predict`: ask a running service from the command line."""
