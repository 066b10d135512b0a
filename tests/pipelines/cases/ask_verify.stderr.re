empty\.json.*not an answer of lode ask
