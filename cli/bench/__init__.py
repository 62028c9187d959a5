"""`penstock bench`: how fast a service answers, and how much it takes."""
