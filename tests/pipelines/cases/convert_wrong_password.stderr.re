^error: .*/encrypted\.pdf: .*password
!nope
