^digraph plan
Who wrote Emma
