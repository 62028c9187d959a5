"""`penstock init`: a small project of one's own."""
