"""What is done with a claimed job, by its kind. No transaction is open while another service is waited for."""
