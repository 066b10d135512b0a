^error: .*cut_short
