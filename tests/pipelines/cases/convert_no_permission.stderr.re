^error: .*convert\.jsonl: .*[Pp]ermission denied
