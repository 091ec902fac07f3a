"""How good the analyzer is: seeded pages, real pages, labelled expectations. `make eval` prints the tables."""
