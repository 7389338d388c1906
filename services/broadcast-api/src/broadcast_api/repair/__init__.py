"""For operators: compare the copies with the truth (`verify`), and make the copies anew (`rebuild`)."""
