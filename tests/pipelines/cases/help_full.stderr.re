^3$
No space left
