"""What a finding says: one function for each rule, in the voice of a consultant."""
