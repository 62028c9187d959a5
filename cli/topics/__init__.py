"""`penstock topics`: make the topics of a service, and look at them."""
