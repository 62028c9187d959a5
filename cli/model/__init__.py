"""`penstock model`: look into a model repository."""
