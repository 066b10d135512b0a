planner: dice
