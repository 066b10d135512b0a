^[0-9]+ quotes checked, 0 problems
^e[0-9]+: the quote is not the one that was recorded
^claim: its number 87\.4 is in none of its quotes
^answer: its text says more than its claims
^code 1
^code 3
!^code 0
