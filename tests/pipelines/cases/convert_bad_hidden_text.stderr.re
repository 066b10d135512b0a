hidden-text: maybe: must be keep or drop
