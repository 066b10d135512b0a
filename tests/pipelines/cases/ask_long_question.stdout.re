code 4
!code 3
!code 2
