"""The job table as a queue: the statements that move a row from one state to the next."""
