"""`make breaker`: a crowd of customers, while somebody kills one process after another."""
