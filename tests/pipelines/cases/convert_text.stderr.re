^error: .*/fake\.pdf: .*not a readable document
