"""What customers are told: events and their deliveries, written in the commit that makes them true."""
