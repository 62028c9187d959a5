"""`penstock deadletters`: what could not be answered, and sending it again."""
