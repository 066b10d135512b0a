$LODE search --planner dice "Who wrote Emma?"
