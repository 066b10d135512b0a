^Nothing that was read answers this question\.$
